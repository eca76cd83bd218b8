import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { CloseReason } from '../reasons.ts'
import type { ClientConnection } from './client-connections.ts'
import { watchDeparture } from './departure.ts'
import type { Unanswered } from './proxy-context.ts'

/**
 * Requests of one connection are worked for at once, and their answers go out in order: Node sees to that. What is no
 * request of Node's has to wait for its turn: a connection handed over after CONNECT or an Upgrade, and the refusal of
 * bytes that are no HTTP. Whatever was said earlier would be taken for the answer to a request in front of it.
 */

/** Counts a request as unanswered until its response is through. */
export function awaitAnswer(
  connection: ClientConnection,
  { response, request }: { response: ServerResponse; request: Unanswered },
): void {
  const { unanswered, socket } = connection
  unanswered.set(response, request)
  response.once('close', () => {
    unanswered.delete(response)
    if (unanswered.size > 0) return
    const next = connection.afterLast
    connection.afterLast = undefined
    // Ended already: the last answer said that it was the last, and nothing behind it counts (RFC 9112 9.6).
    if (next !== undefined && !socket.writableEnded && !socket.destroyed) next()
  })
}

/** Does it now, or once every request in front of it has its answer; never where the connection ends before. */
export function inTurn(connection: ClientConnection, next: () => void): void {
  if (connection.unanswered.size === 0) next()
  else connection.afterLast = next
}

/** Ends all requests without their answers, for the connection ends. */
export function leaveAll({ unanswered }: ClientConnection, closeReason?: CloseReason): void {
  for (const request of unanswered.values()) request.leave(closeReason)
}

/**
 * `inTurn` for a connection that Node has handed over, `head` being what it had read of what follows. Node goes on writing
 * the answers in front, but takes no notice any more of a client that is ready for more of them, or that leaves.
 */
export function takeOverInTurn(
  connection: ClientConnection,
  arrival: { readonly client: Duplex; readonly head: Buffer; readonly next: () => void },
): void {
  const { client, head, next } = arrival
  if (connection.unanswered.size === 0) {
    next()
    return
  }
  const onDrain = (): void => {
    const [answering] = connection.unanswered.keys()
    answering?.emit('drain')
  }
  client.on('drain', onDrain)
  const departure = watchDeparture(client, {
    sentEarly: head.length > 0,
    onGone: () => {
      connection.afterLast = undefined
      leaveAll(connection)
      client.destroy()
    },
  })
  inTurn(connection, () => {
    client.off('drain', onDrain)
    departure.stop()
    next()
  })
}
