import { request as httpRequest } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Lane } from '../../src/settings/settings.ts'
import { openShop, startInbound } from '../support/inbound-world.ts'
import { startRawOrigin } from '../support/origin.ts'
import { readRequests } from '../support/read-messages.ts'
import type { Check, Teardown } from './compare-requests.ts'
import { normalFields } from './normal-fields.ts'

const hangMs = 5000
/** A connection that nobody goes on with is ended, for the answers whose end that is. */
const endMs = 20

/** What a client has of an answer, or why it has none. */
type Had =
  | { readonly kind: 'answer'; readonly status: number; readonly lines: readonly string[] }
  | { readonly kind: 'none'; readonly why: string }

/**
 * Whatever the relay passes on whole is, to Node's own client without a proxy, an answer with the same status, fields and
 * body, and through the library lane too; and whoever asks next has the next answer, whatever was behind the one before.
 */
export async function startAnswerCheck(t: Teardown): Promise<Check> {
  const byPath = new Map<string, Odd>()
  const ends = new WeakMap<Socket, NodeJS.Timeout>()
  const handled = new WeakMap<Socket, number>()
  const origin = await startRawOrigin({
    onData(socket, text) {
      const { requests } = readRequests(text)
      const request = requests.at(-1)
      if (request === undefined || handled.get(socket) === requests.length) return
      handled.set(socket, requests.length)
      clearTimeout(ends.get(socket))
      const path = request.line.split(' ')[1] ?? ''
      const odd = byPath.get(path)
      if (odd === undefined) {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`)
      } else {
        void writeInPieces(socket, odd).then(() => {
          // Not before it is written, however busy the machine is; nor where the next is under way.
          if (handled.get(socket) !== requests.length) return
          ends.set(
            socket,
            setTimeout(() => socket.end(), endMs),
          )
        })
      }
    },
  })
  t.teardown(() => origin.close())
  const ports = { direct: origin.port, relay: 0, library: 0 }
  const complaints: (readonly string[])[] = []
  for (const lane of ['relay', 'library'] as const satisfies readonly Lane[]) {
    const world = await startInbound(t, openShop(`http://${origin.authority}`, { lane }))
    ports[lane] = world.port
    complaints.push(world.complaints)
  }
  let id = 0
  return async (bytes, trial) => {
    const method = bytes.length % 7 === 0 ? 'HEAD' : 'GET'
    const path = `/${++id}`
    byPath.set(path, { bytes, cuts: trial.cuts })
    const [direct, relay, library] = await Promise.all([
      ask(ports.direct, method, path),
      ask(ports.relay, method, path),
      ask(ports.library, method, path),
    ])
    byPath.delete(path)
    const next = `${path}/next`
    const after = await ask(ports.relay, 'GET', next)
    if (after.kind !== 'answer' || after.lines.at(-1) !== next) {
      return `whoever asked next had ${JSON.stringify(after)}`
    }
    const complaint = complaints.flat()[0]
    if (complaint !== undefined) return complaint
    if (relay.kind === 'none') return relay.why === 'hangs' ? 'the relay hangs' : undefined
    trial.isWhole = true
    // Bytes behind a whole answer: the relay drops them with the connection, Node drops the answer too.
    if (direct.kind === 'none' && direct.why === 'surplus') return undefined
    if (method === 'HEAD' && direct.kind === 'none' && /\r\n\r\n[^]/.test(bytes)) return undefined
    for (const [name, had] of Object.entries({ direct, library })) {
      if (JSON.stringify(had) !== JSON.stringify(relay)) {
        return `${method}: relay ${JSON.stringify(relay)}, ${name} ${JSON.stringify(had)}`
      }
    }
    return undefined
  }
}

interface Odd {
  /** Latin-1. */
  readonly bytes: string
  readonly cuts: readonly number[]
}

async function writeInPieces(socket: Socket, { bytes, cuts }: Odd): Promise<void> {
  let at = 0
  for (const cut of [...cuts, bytes.length]) {
    if (socket.destroyed) return
    socket.write(bytes.slice(at, cut), 'latin1')
    at = cut
    await delay(1)
  }
}

const surplus = /Data after|Expected HTTP\//

async function ask(port: number, method: string, path: string): Promise<Had> {
  return new Promise((resolve) => {
    const none = (why: string): void => resolve({ kind: 'none', why })
    const call = httpRequest({
      port,
      host: '127.0.0.1',
      method,
      path,
      agent: false,
      headers: { host: 'orders.test' },
    })
    call.setTimeout(hangMs, () => {
      none('hangs')
      call.destroy()
    })
    let hasBegun = false
    call.on('error', (error) =>
      none(hasBegun && surplus.test(error.message) ? 'surplus' : error.message),
    )
    call.on('upgrade', (_, socket) => {
      none('switched')
      socket.destroy()
    })
    call.on('response', (response) => {
      hasBegun = true
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')))
      response.on('error', () => {})
      response.on('close', () => {
        if (!response.complete) none('cut short')
        else if (response.headers['x-ms-error-code'] !== undefined) none('refused')
        else {
          const { statusCode: status = 0, rawHeaders } = response
          const fields = normalFields(rawHeaders, 'answer').filter(
            (field) => !isLengthForNothing(field, status, rawHeaders),
          )
          resolve({ kind: 'answer', status, lines: [...fields, '', body] })
        }
      })
    })
    call.end()
  })
}

/** RFC 9110 8.6: a length that says nothing may go. */
function isLengthForNothing(field: string, status: number, raw: readonly string[]): boolean {
  if (!field.startsWith('content-length:')) return false
  return status === 204 || raw.some((name) => name.toLowerCase() === 'transfer-encoding')
}
