import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { connect as netConnect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as tlsConnect } from 'node:tls'
import { seconds } from '../units.ts'

/** The demo's clients: plain `node:http`, one connection a request. Nothing here knows Ringfence. */

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface Call {
  readonly method?: string
  /** `http:` URL; its host and port are what is connected to unless `proxyPort` is set. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Address on this machine to come from. */
  readonly from?: string
  /** A forward proxy on loopback: the request goes there in absolute form. */
  readonly proxyPort?: number
}

/** An open stream, however it was opened, or the answer that came instead. */
export type Opened =
  | {
      readonly kind: 'open'
      readonly stream: Duplex
      readonly head: Buffer
      readonly status: number
    }
  | { readonly kind: 'answer'; readonly answer: Answer }

const timeoutMs = seconds(8)
const loopback = '127.0.0.1'

/** Sends one request and reads the whole answer. */
export async function send(call: Call): Promise<Answer> {
  const { method = 'GET', headers = {}, body, from, proxyPort } = call
  const url = new URL(call.url)
  const target: RequestOptions =
    proxyPort === undefined
      ? { host: loopback, port: url.port, path: `${url.pathname}${url.search}` }
      : { host: loopback, port: proxyPort, path: call.url }
  return exchange(
    {
      ...target,
      agent: false,
      ...(from === undefined ? {} : { localAddress: from }),
      method,
      headers: { host: url.host, connection: 'close', ...headers },
    },
    body,
  )
}

/** Opens a tunnel with CONNECT through the proxy on this port of loopback. */
export async function openTunnel(proxyPort: number, authority: string): Promise<Opened> {
  return open(
    {
      host: loopback,
      port: proxyPort,
      method: 'CONNECT',
      path: authority,
      headers: { host: authority },
    },
    'connect',
  )
}

/** Asks to speak WebSocket. */
export async function openWebSocket(call: Call): Promise<Opened> {
  const url = new URL(call.url)
  return open(
    {
      host: loopback,
      port: url.port,
      path: url.pathname,
      ...(call.from === undefined ? {} : { localAddress: call.from }),
      headers: {
        host: url.host,
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'cmluZ2ZlbmNlIGRlbW8hIQ==',
        ...call.headers,
      },
    },
    'upgrade',
  )
}

/** Sends one request over a stream that is open already. */
export async function sendOver(stream: Duplex, call: Call): Promise<Answer> {
  const url = new URL(call.url)
  return exchange(
    {
      method: call.method ?? 'GET',
      path: `${url.pathname}${url.search}`,
      headers: { host: url.host, connection: 'close', ...call.headers },
      // A duplex is all that the client uses of a socket.
      createConnection: () => stream,
    },
    call.body,
  )
}

/** Speaks TLS over an open stream, verified against one certificate. */
export function secure(stream: Duplex, options: { name: string; certificate: string }): Duplex {
  const secured = tlsConnect({ socket: stream, servername: options.name, ca: options.certificate })
  secured.on('error', () => secured.destroy())
  return secured
}

/** Writes bytes as they are and reads until the other side closes: what no proper client would send. */
export async function sendRaw(
  port: number,
  options: { bytes: string; from?: string },
): Promise<Answer> {
  const { bytes, from } = options
  const socket = netConnect({
    host: loopback,
    port,
    ...(from === undefined ? {} : { localAddress: from }),
  })
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error('no answer in time')))
  socket.write(bytes)
  let text = ''
  for await (const chunk of socket.setEncoding('latin1')) text += String(chunk)
  const [head = '', body = ''] = text.split('\r\n\r\n')
  const status = Number(/^HTTP\/1\.[01] ([0-9]{3})/.exec(head)?.[1] ?? 0)
  return { status, headers: {}, body }
}

function exchange(options: RequestOptions, body: string | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ ...options, timeout: timeoutMs })
    request.on('response', (response) => {
      readAnswer(response).then(resolve, reject)
    })
    request.on('timeout', () => request.destroy(new Error('no answer in time')))
    request.on('error', reject)
    request.end(body)
  })
}

function open(options: RequestOptions, event: 'connect' | 'upgrade'): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ ...options, agent: false, timeout: timeoutMs })
    request.on(event, (response: IncomingMessage, stream: Socket, head: Buffer) => {
      stream.setTimeout(0)
      stream.on('error', () => stream.destroy())
      const status = response.statusCode ?? 0
      if (event === 'upgrade' || status === 200) {
        resolve({ kind: 'open', stream, head, status })
      } else {
        readRefusal({ response, stream, head }).then(
          (answer) => resolve({ kind: 'answer', answer }),
          reject,
        )
      }
    })
    request.on('response', (response) => {
      readAnswer(response).then((answer) => resolve({ kind: 'answer', answer }), reject)
    })
    request.on('timeout', () => request.destroy(new Error('no answer in time')))
    request.on('error', reject)
    request.end()
  })
}

/** Node hands a refused CONNECT over as a bare stream: the body is read by its length, or to the end. */
async function readRefusal(refused: {
  readonly response: IncomingMessage
  readonly stream: Duplex
  readonly head: Buffer
}): Promise<Answer> {
  const { response, stream, head } = refused
  const length = Number(response.headers['content-length'] ?? Infinity)
  let body = head
  if (body.length < length) {
    for await (const chunk of stream) {
      body = Buffer.concat([body, Buffer.from(chunk)])
      if (body.length >= length) break
    }
  }
  stream.destroy()
  return { status: response.statusCode ?? 0, headers: response.headers, body: body.toString() }
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += String(chunk)
  return { status: response.statusCode ?? 0, headers: response.headers, body }
}
