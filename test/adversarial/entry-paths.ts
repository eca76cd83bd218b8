import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import {
  connectFrames,
  dataFrame,
  endHeaders,
  type FieldList,
  headersFrame,
} from '../support/http2-frames.ts'
import { connectRaw, type RawClient } from '../support/raw-client.ts'
import { upgradeRequest } from '../support/web-socket.ts'
import { allowedName, type Place, type World } from './world.ts'

/**
 * Every way in which somebody tells the proxies a name, and what the right name leads to there. Whatever else is told
 * must lead nowhere.
 */
export interface EntryPath {
  readonly title: string
  /** The name that is let through on this path, in its one form. */
  readonly name: string
  /** A name that is known and let through to nobody, or to nobody here. */
  readonly other: string
  /** The port that goes with the name; 0: that of the inbound listener. */
  readonly port: number
  readonly leadsTo: Place
  /** What the one in front adds to the name where it is not told: what a Host must say when it arrives. */
  readonly arrivesAs: (world: World) => string | undefined
  /** Whether the proxy writes that Host itself. */
  readonly isRebuilt: boolean
  /** Tells it this authority, as latin1, and comes back with what became of it. */
  readonly tell: (world: World, authority: string) => Promise<Told>
}

export interface Told {
  readonly outcome: 'served' | 'refused' | 'silence'
  /** Events before this one are none of this vector's. */
  readonly since: number
}

export const entryPaths: readonly EntryPath[] = [
  {
    title: 'CONNECT',
    ...outward(443),
    arrivesAs: () => undefined,
    tell: async (world, authority) =>
      onRaw(world, world.egress, async (client, since) => {
        client.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
        const outcome = await outcomeOf(client)
        if (outcome === 'served') {
          client.send(await clientHello(allowedName))
          await arrival(world, client, since)
        }
        return outcome
      }),
  },
  {
    title: 'absolute-form',
    ...outward(80),
    arrivesAs: () => allowedName,
    tell: async (world, authority) =>
      sent(world, world.egress, `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n\r\n`),
  },
  {
    title: 'absolute-form that asks for an upgrade',
    ...outward(80),
    arrivesAs: () => allowedName,
    tell: async (world, authority) =>
      sent(
        world,
        world.egress,
        upgradeRequest(authority).replace('/socket', `http://${authority}/socket`),
      ),
  },
  {
    title: 'absolute-form to a member, delivered',
    ...member('vault'),
    isRebuilt: true,
    arrivesAs: (world) => `vault.test:${world.public}`,
    tell: async (world, authority) =>
      sent(world, world.egress, `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n\r\n`),
  },
  {
    title: 'Host inside a CONNECT to a member, delivered',
    ...member('vault'),
    arrivesAs: (world) => `vault.test:${world.public}`,
    tell: async (world, authority) => {
      const client = await connectRaw({ port: world.egress })
      const host = `vault.test:${world.public}`
      client.send(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      await client.response({ bodyless: true })
      const since = world.events.length
      client.send(`GET / HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
      return ended(client, { since, outcome: await outcomeOf(client) })
    },
  },
  {
    title: 'Host',
    ...member('orders'),
    arrivesAs: (world) => `orders.test:${world.public}`,
    tell: async (world, authority) =>
      sent(world, world.public, `GET / HTTP/1.1\r\nHost: ${authority}\r\n\r\n`),
  },
  {
    title: 'Host of an upgrade',
    ...member('orders'),
    arrivesAs: (world) => `orders.test:${world.public}`,
    tell: async (world, authority) => sent(world, world.public, upgradeRequest(authority)),
  },
  {
    title: 'Host inside TLS',
    ...member('orders'),
    arrivesAs: (world) => `orders.test:${world.public}`,
    tell: async (world, authority) => {
      const tls = { ca: world.ca, servername: 'orders.test', alpn: ['http/1.1'] }
      const client = await connectRaw({ port: world.secure, tls })
      const since = world.events.length
      client.send(`GET / HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
      return ended(client, { since, outcome: await outcomeOf(client) })
    },
  },
  {
    title: 'HTTP/2 :authority',
    ...member('orders'),
    arrivesAs: (world) => `orders.test:${world.public}`,
    tell: async (world, authority) => tellHttp2(world, [[':authority', authority]]),
  },
  {
    title: 'HTTP/2 Host without :authority',
    ...member('orders'),
    arrivesAs: (world) => `orders.test:${world.public}`,
    tell: async (world, authority) => tellHttp2(world, [['host', authority]]),
  },
]

function outward(
  port: number,
): Pick<EntryPath, 'name' | 'other' | 'port' | 'leadsTo' | 'isRebuilt'> {
  return { name: allowedName, other: 'evil.example', port, leadsTo: 'outside', isRebuilt: true }
}

function member(
  leadsTo: 'orders' | 'vault',
): Pick<EntryPath, 'name' | 'other' | 'port' | 'leadsTo' | 'isRebuilt'> {
  return { name: `${leadsTo}.test`, other: 'closed.test', port: 0, leadsTo, isRebuilt: false }
}

/** One request on a connection of its own. */
export async function sent(world: World, port: number, bytes: string): Promise<Told> {
  return onRaw(world, port, async (client) => {
    client.send(bytes)
    return outcomeOf(client)
  })
}

async function onRaw(
  world: World,
  port: number,
  speak: (client: RawClient, since: number) => Promise<Told['outcome']>,
): Promise<Told> {
  const since = world.events.length
  const client = await connectRaw({ port })
  return ended(client, { since, outcome: await speak(client, since) })
}

function ended(client: RawClient, told: Told): Told {
  client.destroy()
  return told
}

async function outcomeOf(client: RawClient): Promise<Told['outcome']> {
  try {
    const { status } = await client.response({ bodyless: true })
    return status < 400 ? 'served' : 'refused'
  } catch {
    return 'silence'
  }
}

/** Until bytes have come through, or will not. */
export async function arrival(world: World, client: RawClient, since: number): Promise<void> {
  const { stream } = client
  const over = new Promise<void>((resolve) => {
    for (const event of ['end', 'close', 'error'] as const) stream.once(event, () => resolve())
  })
  const isThere = (): boolean => world.events.slice(since).some(({ kind }) => kind === 'arrived')
  while (!isThere() && !stream.readableEnded && !stream.destroyed) {
    await Promise.race([world.next(), over])
  }
}

/** A request with these fields instead of an authority, on a connection of its own. */
export async function tellHttp2(
  world: World,
  fields: FieldList,
  { trailers }: { readonly trailers?: FieldList | undefined } = {},
): Promise<Told> {
  const client = await connectFrames({
    port: world.secure,
    ca: world.ca,
    servername: 'orders.test',
  })
  const since = world.events.length
  const pseudo = [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':path', '/'],
  ] as const
  const head = [...pseudo, ...fields]
  if (trailers === undefined) client.send(headersFrame(1, head))
  else client.send(headersFrame(1, head, endHeaders), dataFrame(1, 'x'), headersFrame(1, trailers))
  const answer = await client.frame(
    ({ type, stream }) =>
      type === 'GOAWAY' || (stream === 1 && (type === 'HEADERS' || type === 'RST_STREAM')),
  )
  client.destroy()
  if (answer?.type !== 'HEADERS') return { outcome: 'silence', since }
  return { outcome: isOk(answer.payload) ? 'served' : 'refused', since }
}

/** `:status: 200` is one byte of the static table (RFC 7541 appendix A), at most behind a change of the table's size. */
function isOk(payload: Buffer): boolean {
  const at = ((payload[0] ?? 0) & 0xe0) === 0x20 ? 1 : 0
  return payload[at] === 0x88
}

const hellos = new Map<string, Promise<Buffer>>()

/** What a TLS client says first. */
async function clientHello(servername: string): Promise<Buffer> {
  const known = hellos.get(servername) ?? makeClientHello(servername)
  hellos.set(servername, known)
  return known
}

async function makeClientHello(servername: string): Promise<Buffer> {
  const [near, far] = duplexPair()
  const socket = connectTls({ socket: near, servername })
  socket.on('error', () => {})
  const [bytes]: unknown[] = await once(far, 'data')
  socket.destroy()
  if (!Buffer.isBuffer(bytes)) throw new Error('a ClientHello is bytes')
  return bytes
}
