import type { AccessRule } from '../../src/perimeter/perimeter.ts'
import type { PolicyInput } from '../../src/policy/policy-input.ts'
import { buildPolicyInput, pattern, prefix } from '../support/policy-builder.ts'

/** A policy of so many prefixes and as many FQDNs, each in a rule of its own; a fifth of the names are wildcards. */
export function buildLargePolicy(size: number): PolicyInput {
  const input = buildPolicyInput({
    resources: [{ id: 'orders', hosts: ['orders.example'] }],
    perimeters: [
      {
        name: 'shop',
        profiles: [{ name: 'web' }],
        resourceAssociations: [{ resource: 'orders', profile: 'web', accessMode: 'Enforced' }],
      },
    ],
  })
  const accessRules = Array.from({ length: size }, (_, index): AccessRule[] => [
    {
      name: `in-${index}`,
      direction: 'Inbound',
      addressPrefixes: [prefix(prefixText(index))],
      subscriptions: [],
      fullyQualifiedDomainNames: [],
    },
    {
      name: `out-${index}`,
      direction: 'Outbound',
      addressPrefixes: [],
      subscriptions: [],
      fullyQualifiedDomainNames: [pattern(patternText(index))],
    },
  ]).flat()
  return {
    ...input,
    perimeters: input.perimeters.map((perimeter) => ({
      ...perimeter,
      profiles: [{ name: 'web', accessRules }],
    })),
  }
}

/** An address that the prefix of this index covers. */
export function coveredAddress(index: number): string {
  return isIpv6(index) ? `2001:db8:${ipv6Groups(index)}::1` : `${ipv4Octets(index)}.7`
}

/** A name that the pattern of this index covers. */
export function coveredName(index: number): string {
  return patternText(index).replace('*', 'deep.below')
}

function prefixText(index: number): string {
  return isIpv6(index) ? `2001:db8:${ipv6Groups(index)}::/64` : `${ipv4Octets(index)}.0/24`
}

function patternText(index: number): string {
  return `${index % 5 === 0 ? '*.' : 'api.'}service-${scatter(index)}.zone-${index % 97}.example`
}

/** Every fourth. */
function isIpv6(index: number): boolean {
  return index % 4 === 3
}

/** The numbers below 2^20 in an order without order: an odd factor only permutes them. */
function scatter(index: number): number {
  return (index * 472_093 + 12_345) % 2 ** 20
}

/** From 16.0.0 up, so that 203.0.113.0 is never among them. */
function ipv4Octets(index: number): string {
  const number = scatter(index)
  return `${16 + (number >> 16)}.${(number >> 8) & 0xff}.${number & 0xff}`
}

function ipv6Groups(index: number): string {
  const number = scatter(index)
  return `${(number >> 16).toString(16)}:${(number & 0xffff).toString(16)}`
}
