import type { ResourceId } from '../perimeter/resource-id.ts'
import type {
  InboundListener,
  ListenAddress,
  ListenerTls,
  OutboundListener,
  Settings,
} from '../settings/settings.ts'
import { type Prefix, prefixCovers } from '../wire/address.ts'

/**
 * What of new settings counts at once and what waits for a restart. Whatever is bound when the process starts (addresses,
 * files, sockets) stays; all that decides follows.
 */

export interface SettingsAfterReload {
  /** To be put in force: the new settings, with the old values where only a restart changes them. */
  readonly settings: Settings
  /**
   * To merge the next ones over: those put in force, and the last entries of listeners that are bound although settings
   * no longer name them. One that comes back is then known again.
   */
  readonly running: Settings
  /** By name, in words for the log. */
  readonly needsRestart: readonly string[]
}

/** `running` is what the process started with, or what the last merge gave; `next` is what the files say now. */
export function mergeSettings(running: Settings, next: Settings): SettingsAfterReload {
  const needsRestart: string[] = []
  const inbound = mergeListeners('inbound', {
    running: running.inbound,
    next: next.inbound,
    becomesAnother,
    stays: inboundStays,
    narrow: narrowInbound,
    needsRestart,
  })
  const outbound = mergeListeners('outbound', {
    running: running.outbound,
    next: next.outbound,
    becomesAnother: () => undefined,
    stays: (before, after) => sameAddress(before.listen, after.listen),
    narrow: narrowOutbound,
    needsRestart,
  })
  for (const [name, read] of fixedAtStart) {
    if (JSON.stringify(read(running)) !== JSON.stringify(read(next))) {
      needsRestart.push(`\`${name}\``)
    }
  }
  const settings: Settings = {
    ...next,
    instance: running.instance,
    inbound,
    outbound,
    audit: { ...running.audit, endLineAfterMs: next.audit.endLineAfterMs },
    health: running.health,
    admin: running.admin,
    workers: running.workers,
    limits: { ...next.limits, headerBytes: running.limits.headerBytes },
    timeouts: {
      ...next.timeouts,
      headerMs: running.timeouts.headerMs,
      keepAliveMs: running.timeouts.keepAliveMs,
    },
  }
  const bound: Settings = {
    ...settings,
    inbound: [...inbound, ...withoutNamesOf(inbound, running.inbound)],
    outbound: [...outbound, ...withoutNamesOf(outbound, running.outbound)],
  }
  return { settings, running: bound, needsRestart }
}

function withoutNamesOf<L extends Listener>(named: readonly L[], all: readonly L[]): readonly L[] {
  return all.filter(({ name }) => !named.some((one) => one.name === name))
}

/** Besides the addresses of listeners: what the parts are made with and cannot change. */
const fixedAtStart: readonly (readonly [name: string, read: (settings: Settings) => unknown])[] = [
  ['instance', ({ instance }) => instance],
  ['audit.file', ({ audit }) => audit.file],
  ['audit.flushIntervalMs', ({ audit }) => audit.flushIntervalMs],
  ['audit.bufferBytes', ({ audit }) => audit.bufferBytes],
  ['audit.onFailure', ({ audit }) => audit.onFailure],
  ['workers', ({ workers }) => workers],
  ['health.listen', ({ health }) => health?.listen],
  ['admin.socket', ({ admin }) => admin?.socket],
  ['limits.headerBytes', ({ limits }) => limits.headerBytes],
  ['timeouts.headerMs', ({ timeouts }) => timeouts.headerMs],
  ['timeouts.keepAliveMs', ({ timeouts }) => timeouts.keepAliveMs],
]

interface Listener {
  readonly name: string
  readonly resource: ResourceId | undefined
}

function inboundStays(before: InboundListener, after: InboundListener): boolean {
  return (
    sameAddress(before.listen, after.listen) &&
    (before.tls === undefined) === (after.tls === undefined)
  )
}

/** In the words of a sentence about the listener. */
function becomesAnother(before: InboundListener, after: InboundListener): string | undefined {
  if (before.protocol !== after.protocol) return 'now speaks another protocol'
  const asks = after.tls?.clientCertificates?.mode === 'required'
  if (before.tls === undefined && asks) return 'now requires certificates of clients'
  const isAsBefore = JSON.stringify(before.proxyProtocol) === JSON.stringify(after.proxyProtocol)
  if (isAsBefore || inboundStays(before, after)) return undefined
  // At the old address a peer cannot both have to send the header and not be believed about it.
  return 'changed its address or its use of TLS, and its `proxyProtocol`,'
}

/**
 * A removed listener is left out: the proxies find no settings for it and deny; so is one that is to speak TCP instead of
 * HTTP, or the reverse. An added one waits. One whose address changes is its old self, narrowed by its new self; if its
 * resource changes too, it is left out.
 */
function mergeListeners<L extends Listener>(
  side: 'inbound' | 'outbound',
  input: {
    readonly running: readonly L[]
    readonly next: readonly L[]
    /** In the words of a sentence about the listener: nothing of what is bound can do what the new entry says. */
    readonly becomesAnother: (before: L, after: L) => string | undefined
    readonly stays: (before: L, after: L) => boolean
    readonly narrow: (before: L, after: L) => L
    readonly needsRestart: string[]
  },
): readonly L[] {
  const { running, next, needsRestart } = input
  const merged: L[] = []
  for (const before of running) {
    const after = next.find(({ name }) => name === before.name)
    const another = after && input.becomesAnother(before, after)
    if (after === undefined) {
      needsRestart.push(`${side} listener \`${before.name}\` was removed and denies until then`)
    } else if (another !== undefined) {
      needsRestart.push(`${side} listener \`${before.name}\` ${another} and denies until then`)
    } else if (input.stays(before, after)) {
      merged.push(after)
    } else if (before.resource?.key !== after.resource?.key) {
      // Narrowing cannot say it: at the old address neither the old resource nor the new one is what both entries mean.
      needsRestart.push(
        `${side} listener \`${before.name}\` changed its address and its resource and denies until then`,
      )
    } else {
      needsRestart.push(`${side} listener \`${before.name}\` changed its address or its use of TLS`)
      merged.push(input.narrow(before, after))
    }
  }
  for (const { name } of next) {
    if (running.some((before) => before.name === name)) continue
    needsRestart.push(`${side} listener \`${name}\` was added`)
  }
  return merged
}

/**
 * THREAT: the new entry was judged for another address. `clients` may have become unnecessary because the listener moves
 * to loopback, but it is still bound to every interface. So at the old address only what both entries allow holds.
 */
function narrowOutbound(before: OutboundListener, after: OutboundListener): OutboundListener {
  const clients =
    before.clients === undefined
      ? after.clients
      : after.clients === undefined
        ? before.clients
        : intersect(before.clients, after.clients)
  const known = new Set(after.callers.map((caller) => JSON.stringify(caller)))
  const callers = before.callers.filter((caller) => known.has(JSON.stringify(caller)))
  return { ...before, clients, callers }
}

/** Likewise: private only for whom both entries call private, believed only whom both believe. */
function narrowInbound(before: InboundListener, after: InboundListener): InboundListener {
  const isSameHeader = before.forwardedHeader === after.forwardedHeader
  const isPrivate = before.network === 'private' && after.network === 'private'
  return {
    ...before,
    clients: isPrivate ? intersect(before.clients, after.clients) : [],
    trustedProxies: isSameHeader ? intersect(before.trustedProxies, after.trustedProxies) : [],
    tls: narrowTls(before.tls, after.tls),
  }
}

/** Certificates that one entry would not believe are believed by neither; TLS itself cannot change under way. */
function narrowTls(
  before: ListenerTls | undefined,
  after: ListenerTls | undefined,
): ListenerTls | undefined {
  const [old, next] = [before?.clientCertificates, after?.clientCertificates]
  if (before === undefined || JSON.stringify(old) === JSON.stringify(next)) return before
  const asks = old ?? next
  if (asks === undefined) return before
  const mode = old?.mode === 'required' || next?.mode === 'required' ? 'required' : 'optional'
  return { ...before, clientCertificates: { ...asks, mode, authorities: [] } }
}

/** Prefixes are nested or apart: what two lists share is the longer of each nested pair. */
function intersect(first: readonly Prefix[], second: readonly Prefix[]): readonly Prefix[] {
  const shared = first.flatMap((one) =>
    second.flatMap((other) => (covers(one, other) ? [other] : covers(other, one) ? [one] : [])),
  )
  const byText = new Map(shared.map((prefix) => [prefix.text, prefix]))
  return [...byText.values()]
}

function covers(wide: Prefix, narrow: Prefix): boolean {
  if (wide.bytes.length !== narrow.bytes.length || wide.length > narrow.length) return false
  return prefixCovers(wide, { kind: 'address', bytes: narrow.bytes, text: narrow.text })
}

function sameAddress(first: ListenAddress | undefined, second: ListenAddress | undefined): boolean {
  return JSON.stringify(first) === JSON.stringify(second)
}
