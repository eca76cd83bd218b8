import { createServer, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Lane } from '../../src/settings/settings.ts'
import { type InboundWorld, openShop, startInbound } from '../support/inbound-world.ts'
import { readBody, startRawOrigin } from '../support/origin.ts'
import { readRequests } from '../support/read-messages.ts'
import { flatFields, normalFields } from './normal-fields.ts'

/** Ends what it was given when it is over. */
export interface Teardown {
  teardown(end: () => Promise<void>): void
}

/** One try of some bytes. */
export interface Trial {
  /** Where they are cut into writes of their own, ascending. */
  readonly cuts: readonly number[]
  /** Set where all of them were understood and passed on: a check that is never true has compared nothing. */
  isWhole: boolean
}

/** Undefined: nothing is wrong with these bytes; else what is. */
export type Check = (bytes: string, trial: Trial) => Promise<string | undefined>

/** Behind everything: whoever understands all in front of it answers it and ends the connection. */
const last = 'GET /last HTTP/1.1\r\nHost: orders.test\r\nConnection: close\r\n\r\n'

/** A body that never comes to its end is given up after that. */
const idleMs = 300
const hangMs = 5000
const lingerMs = 20
/** Between two writes: enough for them to be read apart. */
const cutMs = 1
/** An upstream connection serves so many, whoever they are for, and is closed with the last. */
const mostOnConnection = 8

/** One request as text: line, fields of the client that the proxy passes on, body. */
type Seen = readonly string[]

/**
 * Whatever reaches a back end through the relay must be a request to Node's own parser too, with the same method, target,
 * fields and body; and where the relay understood everything, the library lane has passed on the same.
 */
export async function startRequestCheck(t: Teardown): Promise<Check> {
  const relay = await startLane(t, 'relay')
  const library = await startLane(t, 'library')
  const node = await startNode(t)
  let id = 0
  return async (bytes, trial) => {
    const { cuts } = trial
    // Each has an address of its own, by which the back ends know it.
    id++
    const localAddress = `127.${1 + ((id >> 16) & 0x7f)}.${(id >> 8) & 0xff}.${1 + (id & 0x7f)}`
    const [passed, passedByLibrary, read] = await Promise.all([
      relay(bytes, { localAddress, cuts }),
      library(bytes, { localAddress, cuts }),
      node(bytes, { localAddress, cuts }),
    ])
    if (typeof passed === 'string') return passed
    if (typeof passedByLibrary === 'string') return passedByLibrary
    if (typeof read === 'string') return read
    let at = 0
    for (const seen of passed) {
      const text = JSON.stringify(seen)
      while (at < read.length && JSON.stringify(read[at]) !== text) at++
      if (at++ === read.length) return `passed on ${text}, Node reads ${JSON.stringify(read)}`
    }
    const isWhole = passed.at(-1)?.[0]?.includes(' /last ') === true
    trial.isWhole = isWhole
    // Refused, whoever expects 100 may send its content all the same: the library lane ends the connection, the relay
    // only where there is any.
    const isCutShort = /^expect:/im.test(bytes) && passedByLibrary.length < passed.length
    const compared = isCutShort ? passed.slice(0, passedByLibrary.length) : passed
    if (isWhole && JSON.stringify(compared) !== JSON.stringify(passedByLibrary)) {
      return `relay ${JSON.stringify(passed)}, library ${JSON.stringify(passedByLibrary)}`
    }
    return undefined
  }
}

interface Sending {
  readonly localAddress: string
  readonly cuts: readonly number[]
}

type See = (bytes: string, sending: Sending) => Promise<readonly Seen[] | string>

async function startLane(t: Teardown, lane: Lane): Promise<See> {
  const byAddress = new Map<string, Seen[]>()
  const strays: string[] = []
  const served = new WeakMap<Socket, number>()
  const origin = await startRawOrigin({
    onData(socket, text) {
      const { requests } = readRequests(text)
      const before = served.get(socket) ?? 0
      served.set(socket, requests.length)
      if (requests.length > before + 1) strays.push('more than one request at a time')
      for (const request of requests.slice(before)) {
        const address = request.fields.find((field) => field.startsWith('x-forwarded-for:'))
        const seen = byAddress.get(address?.slice(17) ?? '')
        if (seen === undefined) strays.push(`a request of nobody: ${JSON.stringify(request)}`)
        seen?.push([
          request.line,
          ...normalFields(flatFields(request.fields), 'request'),
          '',
          request.body,
        ])
        const isLast = requests.length >= mostOnConnection
        const close = isLast ? 'Connection: close\r\n' : ''
        const content = request.line.startsWith('HEAD ') ? '' : 'ok'
        socket.write(`HTTP/1.1 200 OK\r\n${close}Content-Length: 2\r\n\r\n${content}`)
        if (isLast) socket.end()
      }
    },
  })
  t.teardown(() => origin.close())
  const timeouts = { bodyIdleMs: idleMs, headerMs: idleMs, keepAliveMs: idleMs }
  const parts = openShop(`http://${origin.authority}`, { lane, timeouts })
  const world: InboundWorld = await startInbound(t, parts)
  return async (bytes, sending) => {
    const { localAddress } = sending
    const seen: Seen[] = []
    byAddress.set(localAddress, seen)
    const ended = await send(world.port, bytes + last, sending)
    byAddress.delete(localAddress)
    const [complaint] = [...world.complaints, ...strays.splice(0)]
    if (complaint !== undefined) return `${lane}: ${complaint}`
    world.forget()
    return ended ? seen : `${lane}: the connection does not end`
  }
}

async function startNode(t: Teardown): Promise<See> {
  const byAddress = new Map<string, Seen[]>()
  const requests = async (request: IncomingMessage): Promise<void> => {
    const seen = byAddress.get(request.socket.remoteAddress ?? '')
    const at = seen?.push([]) ?? 0
    const body = await readBody(request)
    if (!request.complete || seen === undefined) return
    seen[at - 1] = [
      `${request.method} ${request.url} HTTP/1.1`,
      ...normalFields(request.rawHeaders, 'request'),
      '',
      body.toString('latin1'),
    ]
  }
  const server = createServer({ requireHostHeader: false }, (request, response) => {
    request.on('error', () => {})
    requests(request).then(
      () => response.end(),
      () => response.destroy(),
    )
  })
  // What was read before it counts, and is still being looked at.
  server.on('clientError', (_, socket) => setTimeout(() => socket.destroy(), lingerMs))
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return async (bytes, sending) => {
    const { localAddress } = sending
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const seen: Seen[] = []
    byAddress.set(localAddress, seen)
    await send(port, bytes + last, { ...sending, idle: 2 * idleMs })
    byAddress.delete(localAddress)
    return seen
  }
}

/** Resolves once the other side has ended: whether it did. */
async function send(
  port: number,
  bytes: string,
  { localAddress, cuts, idle = hangMs }: Sending & { readonly idle?: number },
): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true })
  const ended = new Promise<boolean>((resolve) => {
    socket.setTimeout(idle, () => {
      resolve(false)
      socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(true))
    socket.on('data', () => {})
  })
  let at = 0
  for (const cut of cuts) {
    socket.write(bytes.slice(at, cut), 'latin1')
    at = cut
    await delay(cutMs)
  }
  if (!socket.destroyed) socket.write(bytes.slice(at), 'latin1')
  return ended
}
