import t from 'tap'
import type { Lane } from '../../src/settings/settings.ts'
import { sent, tellHttp2, type Told } from './entry-paths.ts'
import { type Claim, headerClaims, isClaim } from './header-claims.ts'
import { violation, type Want } from './invariant.ts'
import { type Place, startWorld, type World } from './world.ts'

/**
 * What a client says about itself opens nothing and goes no further, in any spelling, number or place. CVE-2025-64484,
 * CVE-2026-26308, CVE-2021-32777, CVE-2024-45410, CVE-2026-29054, CVE-2024-45806, CVE-2024-47070, CVE-2026-40575,
 * oauth2-proxy #877 and #3506.
 */

interface HeaderPath {
  readonly title: string
  /** A host that lets in none but whom the claim says, and what it leads to if the claim is believed. */
  readonly locked: { readonly host: string; readonly leadsTo: Place } | undefined
  /** A host that lets this client in whoever it is. */
  readonly open: { readonly host: string; readonly leadsTo: Place }
  readonly port: (world: World) => number
  /** Whether the proxy writes forwarding fields of its own. */
  readonly forwards: boolean
  readonly isUpgrade?: true
  readonly ask: (world: World, host: string, claim: Claim) => Promise<Told>
}

const paths: readonly HeaderPath[] = [
  {
    title: 'HTTP/1.1',
    locked: { host: 'partner.test', leadsTo: 'partner' },
    open: { host: 'orders.test', leadsTo: 'orders' },
    port: (world) => world.public,
    forwards: true,
    ask: async (world, host, claim) =>
      sent(world, world.public, request(claim, { target: '/', host })),
  },
  {
    title: 'an upgrade',
    isUpgrade: true,
    locked: { host: 'partner.test', leadsTo: 'partner' },
    open: { host: 'orders.test', leadsTo: 'orders' },
    port: (world) => world.public,
    forwards: true,
    ask: async (world, host, claim) =>
      sent(world, world.public, request(claim, { target: '/', host, upgrade: true })),
  },
  {
    title: 'HTTP/2',
    locked: { host: 'partner.test', leadsTo: 'partner' },
    open: { host: 'orders.test', leadsTo: 'orders' },
    port: (world) => world.secure,
    forwards: true,
    ask: async (world, host, { lines, trailers }) =>
      tellHttp2(world, [[':authority', host], ...http2Fields(lines)], {
        trailers: trailers === undefined ? undefined : http2Fields(trailers),
      }),
  },
  {
    title: 'a member, delivered',
    locked: undefined,
    open: { host: 'vault.test', leadsTo: 'vault' },
    port: (world) => world.public,
    forwards: true,
    ask: async (world, host, claim) =>
      sent(world, world.egress, request(claim, { target: `http://${host}/`, host })),
  },
  {
    title: 'the way out',
    locked: { host: 'closed.test', leadsTo: 'closed' },
    open: { host: 'api.example', leadsTo: 'outside' },
    port: () => 80,
    forwards: false,
    ask: async (world, host, claim) =>
      sent(world, world.egress, request(claim, { target: `http://${host}/`, host })),
  },
]

function request(
  { lines, trailers }: Claim,
  to: { readonly target: string; readonly host: string; readonly upgrade?: boolean },
): string {
  const upgrade =
    to.upgrade === true
      ? 'Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
      : ''
  const body = trailers === undefined ? '' : `1\r\nx\r\n0\r\n${trailers}\r\n`
  return `GET ${to.target} HTTP/1.1\r\nHost: ${to.host}\r\n${upgrade}${lines}\r\n${body}`
}

/** Names in lower case, as HTTP/2 has them; without what it has no use for. */
function http2Fields(lines: string): (readonly [string, string])[] {
  return lines
    .split('\r\n')
    .filter((line) => line !== '' && !/^(?:transfer-encoding|connection):/i.test(line))
    .map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
    })
}

function claimsFor(path: HeaderPath): readonly Claim[] {
  return headerClaims().filter(({ name, isBroken }) => {
    if (path.title === 'HTTP/2' && isBroken) return false
    // It means something to us alone, and is taken away where it comes in.
    return path.forwards || !name.startsWith('X-Ringfence-')
  })
}

/** Undefined: nothing of the kind has arrived but what the proxy wrote itself, each once. */
function claimArrived(
  world: World,
  told: Told,
  { path, host }: { readonly path: HeaderPath; readonly host: string },
): string | undefined {
  const ownFields = fieldsOfOurs(world, { path, host })
  for (const event of world.events.slice(told.since)) {
    if (event.kind !== 'arrived') continue
    for (const line of event.bytes.split('\r\n')) {
      const colon = line.indexOf(':')
      const name = line.slice(0, colon)
      if (colon === -1 || !isClaim(name)) continue
      const value = line.slice(colon + 1).trim()
      const own = ownFields[name.toLowerCase()]
      if (own === undefined || own !== value) return `${JSON.stringify(line)} arrives`
      if (event.bytes.toLowerCase().split(`${name.toLowerCase()}:`).length !== 2) {
        return `${name} arrives twice`
      }
    }
    const ownNames = Object.keys(ownFields)
    const missing = ownNames.find((name) => !new RegExp(`^${name}:`, 'im').test(event.bytes))
    if (missing !== undefined) return `${missing} is taken away`
  }
  return undefined
}

function fieldsOfOurs(
  world: World,
  { path, host }: { readonly path: HeaderPath; readonly host: string },
): Readonly<Record<string, string>> {
  if (!path.forwards) return {}
  const isSecure = path.title === 'HTTP/2'
  return {
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': isSecure ? 'https' : 'http',
    'x-forwarded-host': `${host}:${path.port(world)}`,
  }
}

async function tryClaim(
  world: World,
  path: HeaderPath,
  asked: { readonly claim: Claim; readonly to: 'locked' | 'open'; readonly want: Want },
): Promise<string | undefined> {
  const { claim, to, want } = asked
  const place = path[to]
  if (place === undefined) return undefined
  const port = path.port(world)
  const told = await path.ask(world, `${place.host}:${port}`, claim)
  const right = { want, leadsTo: place.leadsTo, arrivesAs: undefined, port, isRebuilt: false }
  const found =
    violation(world.events, told, right) ?? claimArrived(world, told, { path, host: place.host })
  return found === undefined ? undefined : `${claim.note}, ${place.host}: ${found}`
}

for (const lane of ['relay', 'library'] as const satisfies readonly Lane[]) {
  void t.test(`${lane}: what a stranger claims counts for nothing and goes nowhere`, async (t) => {
    const world = await startWorld(t, { lane })
    for (const path of paths) {
      const wrong: (string | undefined)[] = []
      const claims = claimsFor(path)
      for (const claim of claims) {
        // An upgrade has no body, and so nothing behind one.
        const isRefused =
          claim.isBroken || (path.isUpgrade === true && claim.trailers !== undefined)
        const want = isRefused ? 'refused' : 'served'
        wrong.push(await tryClaim(world, path, { claim, to: 'locked', want: 'refused' }))
        wrong.push(await tryClaim(world, path, { claim, to: 'open', want }))
      }
      t.strictSame(wrong.filter(Boolean), [], `${path.title}: ${claims.length} claims`)
    }
    await world.settle()
  })

  void t.test(`${lane}: a gateway that is believed is believed in one way only`, async (t) => {
    const world = await startWorld(t, { lane, more: { headersTrustedFrom: ['127.0.0.0/8'] } })
    for (const path of paths.filter(({ locked }) => locked?.leadsTo === 'partner')) {
      const wrong: (string | undefined)[] = []
      const claims = claimsFor(path)
      for (const claim of claims) {
        const want = wantOfTrusted(claim)
        wrong.push(await tryClaim(world, path, { claim, to: 'locked', want }))
      }
      t.strictSame(wrong.filter(Boolean), [], `${path.title}: ${claims.length} claims`)
    }
    await world.settle()
  })
}

/** A subscription or a member opens it; a perimeter whose members are known is not claimed by being said. */
function wantOfTrusted({ name, isPlain, note }: Claim): Want {
  if (name !== 'X-Nsp-Subscription-Id' && name !== 'X-Nsp-Resource-Id') return 'refused'
  // RFC 9110 7.6.1 lets a gateway mean either.
  if (note.includes('named in Connection')) return 'either'
  return isPlain ? 'served' : 'refused'
}
