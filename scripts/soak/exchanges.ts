import { createHash } from 'node:crypto'
import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  request,
  type RequestOptions,
} from 'node:http'
import { Agent as TlsAgent, request as requestTls } from 'node:https'
import type { Socket } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { KiB } from '../../src/units.ts'
import { catalogHost, deniedHost, ordersHost, originHost, type Ports } from './world.ts'

/** What a client does from beginning to end, and what must come of it. Each rejects with a sentence where it does not. */

export interface Exchange {
  readonly kind: string
  /** How often it is chosen, relative to the others. */
  readonly weight: number
  /** Its back end may be gone for a moment. */
  readonly mayMeetRestart?: boolean
  run(context: ExchangeContext): Promise<void>
}

export interface ExchangeContext {
  readonly ports: Ports
  readonly random: () => number
  readonly agents: Agents
  /** Told the correlation id of an answer. */
  readonly onAnswer: (id: unknown) => void
}

export interface Agents {
  readonly plain: Agent
  readonly tls: TlsAgent
  close(): void
}

const maxBody = 256 * KiB

export function createAgents(): Agents {
  const plain = new Agent({ keepAlive: true, maxSockets: 64 })
  const tls = new TlsAgent({ keepAlive: true, maxSockets: 16, rejectUnauthorized: false })
  return {
    plain,
    tls,
    close() {
      plain.destroy()
      tls.destroy()
    },
  }
}

export const exchanges: readonly Exchange[] = [
  { kind: 'get', weight: 10, run: (context) => get(context, { host: ordersHost }) },
  {
    kind: 'get from a back end that restarts',
    weight: 6,
    mayMeetRestart: true,
    run: (context) => get(context, { host: catalogHost }),
  },
  {
    kind: 'get over TLS',
    weight: 3,
    run: (context) => get(context, { host: ordersHost, tls: true }),
  },
  { kind: 'slow answer', weight: 1, run: (context) => expectText(context, { path: '/slow' }) },
  { kind: 'chunked upload', weight: 4, run: upload },
  { kind: 'upgrade', weight: 2, run: upgrade },
  { kind: 'tunnel', weight: 4, run: tunnel },
  { kind: 'absolute form', weight: 5, run: absoluteForm },
  { kind: 'refused destination', weight: 2, run: refusedDestination },
  { kind: 'unknown resource', weight: 1, run: unknownResource },
]

async function get(
  context: ExchangeContext,
  { host, tls = false }: { readonly host: string; readonly tls?: boolean },
): Promise<void> {
  const length = Math.floor(context.random() * maxBody)
  const response = await answer(context, {
    port: tls ? context.ports.tls : context.ports.inbound,
    path: `/bytes/${length}`,
    headers: { host },
    tls,
  })
  await expectBytes(response, length)
}

async function expectText(
  context: ExchangeContext,
  { path }: { readonly path: string },
): Promise<void> {
  const { inbound: port } = context.ports
  const response = await answer(context, { port, path, headers: { host: ordersHost } })
  const got = await text(response)
  expect(got === 'slow '.repeat(10), `a slow answer of ${got.length} bytes`)
}

async function upload(context: ExchangeContext): Promise<void> {
  const body = Buffer.alloc(Math.floor(context.random() * maxBody), `${context.random()}`)
  const half = body.length >> 1
  const response = await answer(context, {
    port: context.ports.inbound,
    method: 'POST',
    path: '/digest',
    headers: { host: ordersHost, 'transfer-encoding': 'chunked' },
    send(call) {
      call.write(body.subarray(0, half))
      call.end(body.subarray(half))
    },
  })
  const digest = createHash('sha256').update(body).digest('hex')
  expect(response.statusCode === 200, `an upload was answered with ${response.statusCode}`)
  expect((await text(response)) === digest, 'an upload arrived as other bytes')
}

async function absoluteForm(context: ExchangeContext): Promise<void> {
  const length = Math.floor(context.random() * maxBody)
  const authority = `${originHost}:${context.ports.orders.http}`
  const response = await answer(context, {
    port: context.ports.outbound,
    path: `http://${authority}/bytes/${length}`,
    headers: { host: authority },
  })
  await expectBytes(response, length)
}

async function refusedDestination(context: ExchangeContext): Promise<void> {
  const authority = `${deniedHost}:${context.ports.orders.http}`
  const { statusCode } = await finish(
    answer(context, {
      port: context.ports.outbound,
      path: `http://${authority}/bytes/1`,
      headers: { host: authority },
    }),
  )
  expect(statusCode === 403, `a destination that no rule names was answered with ${statusCode}`)
}

async function unknownResource(context: ExchangeContext): Promise<void> {
  const { inbound: port } = context.ports
  const { statusCode } = await finish(
    answer(context, { port, path: '/bytes/1', headers: { host: 'nobody.soak.example' } }),
  )
  expect(statusCode === 404, `an unknown resource was answered with ${statusCode}`)
}

async function upgrade(context: ExchangeContext): Promise<void> {
  const call = request({
    port: context.ports.inbound,
    host: '127.0.0.1',
    path: '/socket',
    headers: {
      host: ordersHost,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
    },
  })
  await echoThrough(context, { call, event: 'upgrade', status: 101 })
}

async function tunnel(context: ExchangeContext): Promise<void> {
  const authority = `${originHost}:${context.ports.orders.echo}`
  const call = request({
    port: context.ports.outbound,
    host: '127.0.0.1',
    method: 'CONNECT',
    path: authority,
    headers: { host: authority },
  })
  await echoThrough(context, { call, event: 'connect', status: 200 })
}

/** Sends some bytes through what opens, half-closes, and wants all of them back and then the end. */
async function echoThrough(
  { random, onAnswer }: ExchangeContext,
  opening: {
    readonly call: ClientRequest
    readonly event: 'upgrade' | 'connect'
    readonly status: number
  },
): Promise<void> {
  const { call, event, status } = opening
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  call.on(event, (response: IncomingMessage, socket: Socket, head: Buffer) => {
    onAnswer(response.headers['x-ringfence-correlation-id'])
    socket.on('error', reject)
    if (head.length > 0) socket.unshift(head)
    if (response.statusCode === status) resolve(socket)
    else reject(new Error(`${event} was answered with ${response.statusCode}`))
  })
  call.on('response', (response) => {
    response.resume()
    reject(new Error(`${event} was answered with ${response.statusCode}`))
  })
  call.on('error', reject).end()
  const socket = await promise
  const sent = Buffer.alloc(1 + Math.floor(random() * maxBody), `${random()}`)
  socket.end(sent)
  const got = await buffer(socket)
  expect(got.equals(sent), `${event}: ${sent.length} bytes were sent, ${got.length} came back`)
}

interface Call extends RequestOptions {
  readonly tls?: boolean
  /** Sends the body and ends the request. Default: none. */
  readonly send?: (call: ClientRequest) => void
}

function answer(context: ExchangeContext, options: Call): Promise<IncomingMessage> {
  const { tls = false, send, ...rest } = options
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const { plain, tls: tlsAgent } = context.agents
  const onResponse = (response: IncomingMessage): void => {
    context.onAnswer(response.headers['x-ringfence-correlation-id'])
    resolve(response)
  }
  const call = tls
    ? requestTls({ host: '127.0.0.1', ...rest, agent: tlsAgent }, onResponse)
    : request({ host: '127.0.0.1', ...rest, agent: plain }, onResponse)
  call.on('error', reject)
  if (send === undefined) call.end()
  else send(call)
  return promise
}

async function finish(pending: Promise<IncomingMessage>): Promise<IncomingMessage> {
  const response = await pending
  await buffer(response)
  return response
}

async function expectBytes(response: IncomingMessage, length: number): Promise<void> {
  const got = await buffer(response)
  const { statusCode } = response
  expect(statusCode === 200, `a request was answered with ${statusCode}`)
  expect(got.length === length, `${length} bytes were asked for, ${got.length} came`)
}

function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise)
}
