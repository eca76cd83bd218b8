import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Duplex } from 'node:stream'

/** A client that sends exactly the bytes it is told to and reads answers as they come. */
export interface RawClient {
  readonly stream: Duplex
  /** Text is sent as latin1. */
  send(bytes: string | Buffer): void
  /** Everything that has arrived and was not taken by `response` or `take`, as latin1. */
  readonly pending: string
  /** The next answer, interim ones included. `bodyless`: it answers HEAD. */
  response(options?: { readonly bodyless?: boolean }): Promise<RawResponse>
  /** Resolves with (and takes) everything up to and including `text`. */
  until(text: string): Promise<string>
  /** Resolves with everything that is left once the other side has ended or reset. */
  rest(): Promise<{ readonly text: string; readonly how: 'end' | 'reset' }>
  /** Sends our end. */
  end(): void
  destroy(): void
}

export interface RawResponse {
  readonly status: number
  readonly reason: string
  readonly head: string
  /** Values joined by `, `; undefined for a field that is not there. */
  header(name: string): string | undefined
  readonly body: string
  /** False: the connection ended or was reset before the body was whole. */
  readonly complete: boolean
}

export interface RawClientOptions {
  readonly port: number
  readonly host?: string
  readonly localAddress?: string
  readonly tls?: { readonly ca: string; readonly servername: string; readonly alpn?: string[] }
}

export async function connectRaw(options: RawClientOptions): Promise<RawClient> {
  const where = {
    port: options.port,
    host: options.host ?? '127.0.0.1',
    allowHalfOpen: true,
    ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
  }
  if (options.tls === undefined) {
    const socket: Socket = connectTcp(where)
    await once(socket, 'connect')
    return rawClientOver(socket)
  }
  const { ca, servername, alpn } = options.tls
  const socket: TLSSocket = connectTls({
    ...where,
    ca,
    servername,
    ...(alpn === undefined ? {} : { ALPNProtocols: alpn }),
  })
  await once(socket, 'secureConnect')
  return rawClientOver(socket)
}

/** One request on a connection of its own. */
export async function exchangeRaw(options: RawClientOptions, bytes: string): Promise<RawResponse> {
  const client = await connectRaw(options)
  client.send(bytes)
  const response = await client.response()
  client.destroy()
  return response
}

/** The same over a stream that is already connected. */
export function rawClientOver(stream: Duplex): RawClient {
  let pending = ''
  let over: 'end' | 'reset' | undefined
  let wake: (() => void)[] = []
  const changed = (): void => {
    const waiting = wake
    wake = []
    for (const resume of waiting) resume()
  }
  stream.on('data', (chunk: Buffer) => {
    pending += chunk.toString('latin1')
    changed()
  })
  stream.on('end', () => {
    over ??= 'end'
    changed()
  })
  stream.on('error', () => {
    over ??= 'reset'
    changed()
  })
  stream.on('close', () => {
    over ??= 'reset'
    changed()
  })
  const change = async (): Promise<void> => new Promise((resolve) => wake.push(resolve))

  /** Waits until `find` gives an index, and takes everything before it; undefined: it is over before that. */
  async function take(find: (text: string) => number): Promise<string | undefined> {
    for (;;) {
      const index = find(pending)
      if (index !== -1) {
        const taken = pending.slice(0, index)
        pending = pending.slice(index)
        return taken
      }
      if (over !== undefined) return undefined
      await change()
    }
  }

  function takeRest(): string {
    const taken = pending
    pending = ''
    return taken
  }

  async function chunked(): Promise<{ body: string; complete: boolean }> {
    let body = ''
    for (;;) {
      const line = await take(after('\r\n'))
      if (line === undefined) return { body, complete: false }
      const size = Number.parseInt(line, 16)
      if (size === 0) {
        for (let field = ''; field !== '\r\n';) {
          const next = await take(after('\r\n'))
          if (next === undefined) return { body, complete: false }
          field = next
        }
        return { body, complete: true }
      }
      const chunk = await take((text) => (text.length >= size + 2 ? size + 2 : -1))
      if (chunk === undefined) return { body: body + takeRest(), complete: false }
      body += chunk.slice(0, -2)
    }
  }

  return {
    stream,
    get pending() {
      return pending
    },
    send(bytes) {
      stream.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    },
    async response(options = {}) {
      const head = await take(after('\r\n\r\n'))
      if (head === undefined) throw new Error(`no answer (${over}), only: ${pending}`)
      const [statusLine = '', ...lines] = head.trimEnd().split('\r\n')
      const status = Number(statusLine.split(' ')[1])
      const header = (name: string): string | undefined => {
        const values = lines
          .map((line) => [
            line.slice(0, line.indexOf(':')),
            line.slice(line.indexOf(':') + 1).trim(),
          ])
          .filter(([field]) => field?.toLowerCase() === name.toLowerCase())
          .map(([, value]) => value)
        return values.length === 0 ? undefined : values.join(', ')
      }
      const reason = statusLine.split(' ').slice(2).join(' ')
      const base = { status, reason, head, header }
      if (options.bodyless === true || status < 200 || status === 204 || status === 304) {
        return { ...base, body: '', complete: true }
      }
      if (header('transfer-encoding') === 'chunked') return { ...base, ...(await chunked()) }
      const length = header('content-length')
      if (length !== undefined) {
        const size = Number(length)
        const body = await take((text) => (text.length >= size ? size : -1))
        return { ...base, body: body ?? takeRest(), complete: body !== undefined }
      }
      await take(() => -1)
      return { ...base, body: takeRest(), complete: over === 'end' }
    },
    async until(text) {
      const taken = await take(after(text))
      if (taken === undefined) throw new Error(`over (${over}) before ${text}: ${pending}`)
      return taken
    },
    async rest() {
      await take(() => -1)
      return { text: takeRest(), how: over ?? 'end' }
    },
    end() {
      stream.end()
    },
    destroy() {
      stream.destroy()
    },
  }
}

function after(text: string): (pending: string) => number {
  return (pending) => {
    const index = pending.indexOf(text)
    return index === -1 ? -1 : index + text.length
  }
}
