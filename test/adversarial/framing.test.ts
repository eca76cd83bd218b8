import t from 'tap'
import type { Lane } from '../../src/settings/settings.ts'
import { minutes } from '../../src/units.ts'
import { connectRaw, type RawClient } from '../support/raw-client.ts'
import { readRequests } from '../support/read-messages.ts'
import { framingMutations, type Mutation } from './framing-mutations.ts'
import { type Place, startWorld, type World } from './world.ts'

/**
 * Where a request ends is read in one way only, by everybody: what may be read in two is refused, and nothing that stands
 * behind it is ever a request to anybody. The ids stand beside the mutations.
 */

interface FramingPath {
  readonly title: string
  /** What stands before a path. */
  readonly target: (world: World) => string
  readonly host: (world: World) => string
  readonly leadsTo: Place
  readonly connect: (world: World) => Promise<RawClient>
  /** A head only: whatever is behind it is no body. */
  readonly isConnect?: true
}

const paths: readonly FramingPath[] = [
  {
    title: 'the way in',
    target: () => '',
    host: () => 'orders.test',
    leadsTo: 'orders',
    connect: async (world) => connectRaw({ port: world.public }),
  },
  {
    title: 'the way in, inside TLS',
    target: () => '',
    host: () => 'orders.test',
    leadsTo: 'orders',
    connect: async (world) =>
      connectRaw({
        port: world.secure,
        tls: { ca: world.ca, servername: 'orders.test', alpn: ['http/1.1'] },
      }),
  },
  {
    title: 'the way out',
    target: () => 'http://api.example',
    host: () => 'api.example',
    leadsTo: 'outside',
    connect: async (world) => connectRaw({ port: world.egress }),
  },
  {
    title: 'a member, delivered',
    target: (world) => `http://vault.test:${world.public}`,
    host: (world) => `vault.test:${world.public}`,
    leadsTo: 'vault',
    connect: async (world) => connectRaw({ port: world.egress }),
  },
  {
    title: 'inside a CONNECT to a member',
    target: () => '',
    host: (world) => `vault.test:${world.public}`,
    leadsTo: 'vault',
    async connect(world) {
      const client = await connectRaw({ port: world.egress })
      const host = `vault.test:${world.public}`
      client.send(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      await client.response({ bodyless: true })
      return client
    },
  },
  {
    title: 'CONNECT',
    target: () => '',
    host: () => 'api.example:443',
    leadsTo: 'outside',
    connect: async (world) => connectRaw({ port: world.egress }),
    isConnect: true,
  },
]

function bytesOf(mutation: Mutation, path: FramingPath, world: World): string {
  const { lineEnd = '\r\n', fields = '', body = '' } = mutation
  const line = path.isConnect
    ? `CONNECT ${path.host(world)} HTTP/1.1`
    : (mutation.line ?? 'GET $/ HTTP/1.1').replace('$', path.target(world))
  const head = `${line}${lineEnd}Host: ${path.host(world)}${lineEnd}${fields}${lineEnd}`
  const behind = `GET ${path.target(world)}/smuggled HTTP/1.1\r\nHost: ${path.host(world)}\r\nConnection: close\r\n\r\n`
  return head + body + behind
}

async function tryMutation(
  world: World,
  path: FramingPath,
  { mutation, isLenient }: { readonly mutation: Mutation; readonly isLenient: boolean },
): Promise<string | undefined> {
  const client = await path.connect(world)
  const since = world.events.length
  client.send(bytesOf(mutation, path, world))
  const statuses: number[] = []
  const isHead = mutation.line?.startsWith('HEAD ') === true
  try {
    for (;;) {
      const bodyless = isHead && statuses.length === 0
      const response = await client.response({ bodyless })
      const { status } = response
      statuses.push(status)
      // It may linger. Were anything behind it read all the same, the next one would see it.
      if (status >= 400 && response.header('connection') === 'close') break
    }
  } catch {
    // It is over: whatever was to be answered has been.
  }
  client.destroy()
  const events = world.events.slice(since)
  const arrived = events.flatMap((event) => (event.kind === 'arrived' ? [event] : []))
  const elsewhere = arrived.find(({ place }) => place !== path.leadsTo)
  if (elsewhere !== undefined) return `${elsewhere.place} gets ${elsewhere.bytes.slice(0, 200)}`
  const isRefused =
    arrived.length === 0 && !events.some(({ kind }) => kind === 'dialled' || kind === 'resolved')
  const smuggled = arrived.find(({ bytes }) => hasSmuggled(bytes))
  switch (isLenient ? 'head or whole' : mutation.kind) {
    case 'head':
      return isRefused && statuses.every((status) => status >= 400) && statuses.length < 2
        ? undefined
        : `it goes on: ${statuses.join()} ${JSON.stringify(arrived.at(-1)?.bytes)}`
    case 'body':
      return smuggled && `what is behind it goes on: ${JSON.stringify(smuggled.bytes)}`
    case 'whole':
      return notWhole(mutation, arrived)
    case 'head or whole':
      return smuggled === undefined && statuses.at(-1) === 400
        ? undefined
        : notWhole(mutation, arrived)
  }
}

function hasSmuggled(bytes: string): boolean {
  return readRequests(bytes).requests.some(({ line }) => line.includes('/smuggled'))
}

/** The first thing that arrives is one request with its content; what stands behind it is the next, and on its own. */
function notWhole(
  mutation: Mutation,
  arrived: readonly { readonly bytes: string }[],
): string | undefined {
  const { content = '' } = mutation
  const isWhole = arrived.some(({ bytes }) => {
    const { requests } = readRequests(bytes)
    return requests.length === 1 && requests[0]?.body === content && !hasSmuggled(bytes)
  })
  return isWhole ? undefined : `it does not arrive whole: ${JSON.stringify(arrived[0]?.bytes)}`
}

for (const lane of ['relay', 'library'] as const satisfies readonly Lane[]) {
  void t.test(`${lane}: a request ends in one place only`, async (t) => {
    t.setTimeout(minutes(2))
    const timeouts = { headerMs: 300, bodyIdleMs: 300, keepAliveMs: 300 }
    const world = await startWorld(t, { lane, more: { timeouts } })
    for (const path of paths) {
      const mutations = framingMutations().filter(
        ({ kind, line }) =>
          path.isConnect !== true ||
          (kind === 'head' && (line === 'POST $/ HTTP/1.1' || line === undefined)),
      )
      const wrong: string[] = []
      for (const mutation of mutations) {
        const found = await tryMutation(world, path, {
          mutation,
          isLenient: lane === 'library' && mutation.isReadOver === true,
        })
        if (found !== undefined) wrong.push(`${mutation.note}: ${found}`)
      }
      t.strictSame(wrong, [], `${path.title}: ${mutations.length} mutations`)
    }
  })
}
