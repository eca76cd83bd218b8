import type { Effect } from '../../src/policy/decision.ts'
import { evaluateInbound } from '../../src/policy/evaluate-inbound.ts'
import { evaluateOutbound } from '../../src/policy/evaluate-outbound.ts'
import type { InboundRequest, OutboundRequest } from '../../src/policy/request.ts'
import type { PolicySnapshot } from '../../src/policy/snapshot.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { hostname, serviceId } from '../support/policy-builder.ts'
import { coveredAddress, coveredName } from './large-policy.ts'

export interface Measurement {
  readonly name: string
  /** Processor time of this thread, per decision: the fastest of the rounds. Other load only ever adds. */
  readonly nanoseconds: number
}

interface Run {
  readonly name: string
  readonly effect: Effect
  /** Decides so often, and returns how many had the effect. */
  readonly decide: (count: number) => number
}

const nanosecondsPerMicrosecond = 1000

/** Distinct requests in a run: more than the first cache holds, few enough to be prepared at once. */
const requestCount = 4096

/**
 * Measures decisions of a large policy: hits spread over all rules, and misses, in both directions. A run whose
 * decisions are not what they must be throws: a fast wrong answer is no measurement.
 */
export function measureDecisions(
  snapshot: PolicySnapshot,
  plan: { readonly size: number; readonly rounds: number; readonly decisions: number },
): readonly Measurement[] {
  return prepareRuns(snapshot, plan.size).map(({ name, effect, decide }) => {
    decide(plan.decisions)
    const rounds = Array.from({ length: plan.rounds }, () => {
      const start = process.threadCpuUsage()
      const agreed = decide(plan.decisions)
      const { user, system } = process.threadCpuUsage(start)
      if (agreed !== plan.decisions) throw new Error(`${name}: not every effect is ${effect}`)
      return ((user + system) * nanosecondsPerMicrosecond) / plan.decisions
    })
    return { name, nanoseconds: Math.min(...rounds) }
  })
}

function prepareRuns(snapshot: PolicySnapshot, size: number): readonly Run[] {
  const inbound = (name: string, address: (index: number) => string, effect: Effect): Run => {
    const requests = prepare((index) => inboundRequest(snapshot, address(index)))
    const decide = (count: number): number => {
      let agreed = 0
      for (let index = 0; index < count; index++) {
        const request = requests[index % requestCount]
        if (request !== undefined && evaluateInbound(snapshot, request).effect === effect) agreed++
      }
      return agreed
    }
    return { name, effect, decide }
  }
  const outbound = (name: string, host: (index: number) => string, effect: Effect): Run => {
    const requests = prepare((index) => outboundRequest(snapshot, host(index)))
    const decide = (count: number): number => {
      let agreed = 0
      for (let index = 0; index < count; index++) {
        const request = requests[index % requestCount]
        if (request !== undefined && evaluateOutbound(snapshot, request).effect === effect) agreed++
      }
      return agreed
    }
    return { name, effect, decide }
  }
  const spread = (index: number): number => (index * 7919) % size
  return [
    inbound('inbound, a prefix covers it', (index) => coveredAddress(spread(index)), 'allow'),
    inbound('inbound, no prefix does', (index) => missedAddress(index), 'deny'),
    outbound('outbound, an FQDN covers it', (index) => coveredName(spread(index)), 'allow'),
    outbound('outbound, no FQDN does', (index) => `n-${index}.zone-5.example`, 'deny'),
  ]
}

function missedAddress(index: number): string {
  return index % 4 === 3
    ? `2001:db9::${index.toString(16)}`
    : `203.${index & 0xff}.113.${index >> 8}`
}

function prepare<Request>(make: (index: number) => Request): readonly Request[] {
  return Array.from({ length: requestCount }, (_, index) => make(index))
}

function inboundRequest(snapshot: PolicySnapshot, text: string): InboundRequest {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(`${text} is an address`)
  const source = { address, subscriptions: [], perimeters: [] }
  return { resource: protectedResource(snapshot), network: 'public', source }
}

function outboundRequest(snapshot: PolicySnapshot, name: string): OutboundRequest {
  const host = { kind: 'name', name: hostname(name) } as const
  return { resource: protectedResource(snapshot), destination: { host, port: 443 } }
}

function protectedResource(snapshot: PolicySnapshot): InboundRequest['resource'] {
  const resource = snapshot.resources.get(serviceId('orders').key)
  if (resource === undefined) throw new Error('the policy has the resource')
  return resource
}
