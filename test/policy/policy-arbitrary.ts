import fc from 'fast-check'
import type { PolicyInput } from '../../src/policy/policy-input.ts'
import { compilePolicy } from '../support/compile-policy.ts'
import type { Decision } from '../../src/policy/decision.ts'
import { evaluateInbound } from '../../src/policy/evaluate-inbound.ts'
import { evaluateOutbound } from '../../src/policy/evaluate-outbound.ts'
import type { InboundRequest, OutboundRequest } from '../../src/policy/request.ts'
import type { PolicySnapshot } from '../../src/policy/snapshot.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { parseHost } from '../../src/wire/authority.ts'
import { defaultPerimeterGuid } from '../../src/perimeter/perimeter-guid.ts'
import {
  type GivenPerimeter,
  type GivenPolicy,
  type GivenRule,
  guid,
  perimeterId,
  serviceId,
} from '../support/policy-builder.ts'
import type { ReferenceRequest } from './reference-evaluator.ts'

/** Policies and requests over universes so small that they meet often. */

const resourceNames = ['r0', 'r1', 'r2', 'r3'] as const
const perimeterNames = ['p0', 'p1', 'p2'] as const
const prefixes = [
  '0.0.0.0/0',
  '10.0.0.0/8',
  '10.1.0.0/16',
  '10.1.2.3/32',
  '192.0.2.0/24',
  '::/0',
  '2001:db8::/32',
  '2001:db8::1/128',
]
const addresses = [
  '10.1.2.3',
  '10.1.9.9',
  '10.9.9.9',
  '192.0.2.1',
  '203.0.113.1',
  '::ffff:10.1.2.3',
  '2001:db8::1',
  '2001:db8::2',
  '2001:db9::1',
]
const subscriptions = [
  'aaaaaaaa-0000-0000-0000-000000000001',
  'aaaaaaaa-0000-0000-0000-000000000002',
]
const serviceTags = {
  Narrow: ['10.1.2.3/32', '2001:db8::1/128'],
  Wide: ['10.0.0.0/8', '192.0.2.0/24', '2001:db8::/32'],
  Elsewhere: ['198.51.100.0/24'],
}
const tagNames = Object.keys(serviceTags)
const patterns = [
  'example.com',
  '*.example.com',
  'a.example.com',
  '*.a.example.com',
  'other.test',
  'r1.example',
  '*.r1.example',
]
const destinations = [
  'example.com',
  'a.example.com',
  'b.a.example.com',
  'xexample.com',
  'other.test',
  '10.1.2.3',
  '[2001:db8::1]',
  ...resourceNames.map((name) => `${name}.example`),
  'api.r1.example',
]
const ports = [80, 443, 22]
const givenGuid = 'bbbbbbbb-0000-0000-0000-000000000000'
const perimeterGuids = [
  givenGuid,
  ...perimeterNames.map((name) => defaultPerimeterGuid(perimeterId(name))),
]

const access = fc.constantFrom(undefined, 'Enabled', 'Disabled', 'SecuredByPerimeter')
const mode = fc.constantFrom('Learning', 'Enforced', 'Audit')
const status = fc.constantFrom('Approved', 'Approved', 'Pending', 'Rejected', 'Disconnected')
const selection = fc.constantFrom([], ['*'], ['a'], ['b'], ['a', 'b'], ['c'], ['*', 'c'])

export const ruleArbitrary: fc.Arbitrary<GivenRule> = fc
  .oneof(
    fc.record({ addressPrefixes: fc.subarray(prefixes, { minLength: 0, maxLength: 2 }) }),
    fc.record({ subscriptions: fc.subarray(subscriptions) }),
    fc.record({ serviceTags: fc.subarray(tagNames) }),
    fc.record({ fullyQualifiedDomainNames: fc.subarray(patterns, { minLength: 0, maxLength: 2 }) }),
    // Of several kinds, some of the wrong direction, as documents of other tools may hold them.
    fc.record({
      direction: fc.constantFrom('Inbound', 'Outbound'),
      addressPrefixes: fc.subarray(prefixes, { maxLength: 1 }),
      subscriptions: fc.subarray(subscriptions, { maxLength: 1 }),
      serviceTags: fc.subarray(tagNames, { maxLength: 1 }),
      fullyQualifiedDomainNames: fc.subarray(patterns, { maxLength: 1 }),
    }),
  )
  .chain((rule) => fc.nat(9).map((number) => ({ ...rule, name: `rule-${number}` })))

const rules = fc.array(ruleArbitrary, { maxLength: 4 })

const perimeterParts = fc.record({
  profiles: fc.tuple(rules, rules),
  links: fc.array(
    fc.record({
      to: fc.constantFrom(...perimeterNames),
      localInboundProfiles: selection,
      remoteInboundProfiles: selection,
    }),
    { maxLength: 2 },
  ),
  linkReferences: fc.array(
    fc.record({
      from: fc.constantFrom(...perimeterNames),
      localInboundProfiles: selection,
      status,
    }),
    { maxLength: 2 },
  ),
})

const association = fc.option(
  fc.record({
    perimeter: fc.constantFrom('p0', 'p0', 'p1'),
    profile: fc.constantFrom('a', 'b'),
    accessMode: mode,
  }),
  { nil: undefined, freq: 4 },
)

/** `p2` is never declared, `r3` never in settings: others may know them. */
export const policyArbitrary: fc.Arbitrary<GivenPolicy> = fc
  .record({
    perimeters: fc.tuple(perimeterParts, perimeterParts),
    associations: fc.tuple(association, association, association, association),
    resources: fc.tuple(...['r0', 'r1', 'r2'].map((id) => resource(id))),
    egressPorts: fc.subarray(ports, { minLength: 0, maxLength: 2 }),
    autoApprove: fc.subarray(['p0', 'p1']),
  })
  .map(({ perimeters, associations, resources, egressPorts, autoApprove }) => ({
    serviceTags,
    egressPorts,
    autoApprove,
    resources,
    perimeters: perimeters.map(({ profiles, links, linkReferences }, number): GivenPerimeter => {
      const name = `p${number}`
      return {
        name,
        ...(number === 0 ? { perimeterGuid: givenGuid } : {}),
        profiles: [
          { name: 'a', accessRules: profiles[0] },
          { name: 'b', accessRules: profiles[1] },
        ],
        resourceAssociations: associations.flatMap((one, index) =>
          one?.perimeter === name
            ? [{ resource: `r${index}`, profile: one.profile, accessMode: one.accessMode }]
            : [],
        ),
        links,
        linkReferences,
      }
    }),
  }))

function resource(id: string) {
  return fc
    .record({
      publicNetworkAccess: access,
      firewall: fc.option(
        fc.record({
          defaultAction: fc.constantFrom('Allow', 'Deny'),
          ipRules: fc.subarray(prefixes, { maxLength: 2 }),
        }),
        { nil: undefined },
      ),
    })
    .map(({ publicNetworkAccess, firewall }) => ({
      id,
      hosts: [`${id}.example`, ...(id === 'r1' ? ['api.r1.example'] : [])],
      ...(publicNetworkAccess === undefined ? {} : { publicNetworkAccess }),
      ...(firewall === undefined ? {} : { firewall }),
    }))
}

/** A request as drawn: text, judged by the product and by the reference through their own parsers. */
export type DrawnRequest = { readonly resource: string } & (
  | {
      readonly direction: 'Inbound'
      readonly network: 'public' | 'private'
      readonly ip: string | undefined
      readonly subscriptions: readonly string[]
      readonly perimeters: readonly string[]
    }
  | { readonly direction: 'Outbound'; readonly host: string; readonly port: number }
)

export const requestArbitrary: fc.Arbitrary<DrawnRequest> = fc.oneof(
  fc.record({
    direction: fc.constant('Inbound' as const),
    resource: fc.constantFrom(...resourceNames),
    network: fc.constantFrom('public', 'public', 'public', 'public', 'private'),
    ip: fc.option(fc.constantFrom(...addresses), { nil: undefined, freq: 9 }),
    subscriptions: fc.subarray(subscriptions),
    perimeters: fc.oneof(fc.constant([]), fc.subarray(perimeterGuids, { maxLength: 2 })),
  }),
  fc.record({
    direction: fc.constant('Outbound' as const),
    resource: fc.constantFrom(...resourceNames),
    host: fc.constantFrom(...destinations),
    port: fc.constantFrom(...ports),
  }),
)

/** The product's decision; undefined where the snapshot does not know the resource. */
export function decide(snapshot: PolicySnapshot, request: DrawnRequest): Decision | undefined {
  const policy = snapshot.resources.get(serviceId(request.resource).key)
  if (policy === undefined) return undefined
  if (request.direction === 'Outbound') {
    const host = parseHost(request.host)
    if (host === undefined) throw new Error(`${request.host} is a host`)
    const outbound: OutboundRequest = {
      resource: policy,
      destination: { host, port: request.port },
    }
    return evaluateOutbound(snapshot, outbound)
  }
  const inbound: InboundRequest = {
    resource: policy,
    network: request.network,
    source: {
      address: request.ip === undefined ? undefined : parseAddress(request.ip),
      subscriptions: request.subscriptions.map(guid),
      perimeters: request.perimeters.map(guid),
    },
  }
  return evaluateInbound(snapshot, inbound)
}

/** Compiles and decides at once. */
export function decideUnder(input: PolicyInput, request: DrawnRequest): Decision | undefined {
  return decide(compilePolicy(input), request)
}

/** The same request for the reference evaluator. */
export function toReference(request: DrawnRequest): ReferenceRequest {
  const resource = serviceId(request.resource).key
  if (request.direction === 'Outbound') {
    const { direction, host, port } = request
    return { direction, resource, port, name: /^[[0-9]/.test(host) ? undefined : host }
  }
  const ip = request.ip === undefined ? undefined : Uint8Array.from(bytesOf(request.ip))
  return { ...request, resource, ip }
}

/** Mapped addresses are written with their IPv4 here, and are that IPv4. */
function bytesOf(ip: string): number[] {
  if (ip.includes('.')) return ip.replace('::ffff:', '').split('.').map(Number)
  const [head = '', tail = ''] = ip.split('::')
  const groups = (text: string): number[] =>
    text
      .split(':')
      .filter(Boolean)
      .map((group) => parseInt(group, 16))
  const missing = 8 - groups(head).length - groups(tail).length
  return [...groups(head), ...Array.from({ length: missing }, () => 0), ...groups(tail)].flatMap(
    (group) => [group >> 8, group & 0xff],
  )
}
