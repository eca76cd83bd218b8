import type { Told } from './entry-paths.ts'
import { allowedAddress, allowedName, type Event, type Place } from './world.ts'

/**
 * What must hold for every vector, whatever it is: it is refused and nothing at all has happened beyond the decision, or
 * what was dialled is exactly the name that a rule allows, after it was allowed. What a vector should come to is known by
 * how it was made; nothing of the product is asked.
 */

/**
 * What a vector may come to. `guarded`: the name is allowed, and none of the addresses that it resolves to. `either`:
 * served and refused are equally right.
 */
export type Want = 'served' | 'refused' | 'guarded' | 'either'

export interface Right {
  readonly want: Want
  readonly leadsTo: Place
  /** Value of the Host that arrives; undefined: no Host is looked for. */
  readonly arrivesAs: string | undefined
  /** Whether the proxy writes the Host; else it goes on as the client spelled it, which must be the same name. */
  readonly isRebuilt: boolean
  readonly port: number
  /** Address that is dialled; default the one of the allowed name. */
  readonly address?: string
}

/** Undefined: it holds. Else what is wrong. */
export function violation(events: readonly Event[], told: Told, right: Right): string | undefined {
  const since = events.slice(told.since).filter((event) => !isEnd(event))
  const hasHappened = since.some(({ kind }) => kind !== 'record')
  const wanted = right.want === 'either' ? (hasHappened ? 'served' : 'refused') : right.want
  return wanted === 'served' ? notServed(since, told, right) : notRefused(since, told, wanted)
}

function notRefused(
  events: readonly Event[],
  { outcome }: Told,
  wanted: 'refused' | 'guarded',
): string | undefined {
  const isAsked = (event: Event): boolean => event.kind === 'resolved' && event.name === allowedName
  if (wanted === 'guarded' && !events.some(isAsked)) return 'the name is not resolved'
  const beyond = events.filter(
    (event) => event.kind !== 'record' && !(wanted === 'guarded' && isAsked(event)),
  )
  if (beyond.length > 0) return `it is to be refused, but ${describe(beyond)}`
  if (outcome === 'served') return 'it is to be refused, but is answered as if it were not'
  if (events.some((event) => isAllow(event))) return 'it is recorded as allowed'
  // Bytes that are no request at all have nobody to be answered or recorded for.
  if (outcome === 'refused' && events.length === 0) return 'it is refused without a record'
  return undefined
}

function notServed(events: readonly Event[], { outcome }: Told, right: Right): string | undefined {
  const { leadsTo, arrivesAs, port, address = allowedAddress } = right
  if (outcome !== 'served') return `it is to be served, but is ${outcome}: ${describe(events)}`
  const order: string[] = []
  for (const event of events) {
    switch (event.kind) {
      case 'record':
        if (!isAllow(event)) return `it is recorded as ${event.record.decision.reason}`
        order.push('allowed')
        break
      case 'resolved':
        if (event.name !== allowedName) return `${event.name} is resolved`
        order.push('resolved')
        break
      case 'dialled':
        if (event.candidates.join() !== `${address}:${port}`) return describe([event])
        order.push('dialled')
        break
      case 'delivered':
        if (event.resource !== leadsTo || event.name !== `${leadsTo}.test`) return describe([event])
        order.push('delivered')
        break
      case 'arrived': {
        if (event.place !== leadsTo) return describe([event])
        const host = hostsOf(event.bytes, right)
        if (arrivesAs !== undefined && host !== arrivesAs) return `Host arrives as ${host}`
        order.push('arrived')
        break
      }
    }
  }
  const seen = order.filter((step, index) => step !== order[index - 1]).join(', ')
  return orders.has(seen) ? undefined : `in the wrong order: ${seen}`
}

/** What may happen, in which order. */
const orders: ReadonlySet<string> = new Set([
  'resolved, allowed, dialled, arrived',
  'allowed, dialled, arrived',
  'allowed, arrived',
  'allowed, delivered, allowed, arrived',
])

/** Every Host that has arrived, as it should have been written where it goes on as it is. */
function hostsOf(bytes: string, { isRebuilt }: Right): string {
  const hosts = [...bytes.matchAll(/^host:[ \t]*(.*?)[ \t]*\r$/gim)].map(([, value]) => value ?? '')
  return (isRebuilt ? hosts : hosts.map((host) => host.toLowerCase().replace('.:', ':'))).join()
}

/** The end of something that was decided before is no decision, and may come late. */
function isEnd(event: Event): boolean {
  return event.kind === 'record' && event.record.end !== undefined
}

function isAllow(event: Event): boolean {
  return event.kind === 'record' && event.record.decision.effect === 'allow'
}

function describe(events: readonly Event[]): string {
  return events
    .map((event) => {
      switch (event.kind) {
        case 'record':
          return `${event.record.decision.effect}: ${event.record.decision.reason}`
        case 'resolved':
          return `${event.name} is resolved`
        case 'dialled':
          return `${event.candidates.join(', ')} is dialled`
        case 'delivered':
          return `${event.name} is delivered to ${event.resource}`
        case 'arrived':
          return `${event.place} gets ${JSON.stringify(event.bytes.slice(0, 200))}`
      }
    })
    .join('; ')
}
