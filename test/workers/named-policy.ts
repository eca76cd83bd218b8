import type { Arena } from '../../src/policy/arena.ts'
import { compilePolicy } from '../../src/policy/compile-policy.ts'
import type { CompiledPolicy } from '../../src/policy/compiled-policy.ts'
import type { InboundRequest, OutboundRequest } from '../../src/policy/request.ts'
import type { PolicySnapshot } from '../../src/policy/snapshot.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { buildPolicyInput, hostname, serviceId } from '../support/policy-builder.ts'

/** A policy whose every answer tells which one it is: its rules all have its name. */
export interface Policy {
  readonly name: string
  readonly snapshot: PolicySnapshot
}

const elements = 400

export function compileNamed(name: string, arena: Arena): CompiledPolicy {
  const numbers = Array.from({ length: elements }, (_, index) => index)
  return compilePolicy(
    buildPolicyInput({
      resources: [{ id: 'orders' }],
      perimeters: [
        {
          name: 'shop',
          profiles: [
            {
              name: 'web',
              accessRules: [
                {
                  name,
                  addressPrefixes: numbers.map(
                    (number) => `10.${number >> 8}.${number & 255}.0/24`,
                  ),
                },
                { name, fullyQualifiedDomainNames: numbers.map((number) => `n-${number}.example`) },
              ],
            },
          ],
          resourceAssociations: [{ resource: 'orders', profile: 'web', accessMode: 'Enforced' }],
        },
      ],
    }),
    arena,
  )
}

/** Two requests that its rules allow. */
export function askOf(
  { snapshot }: Policy,
  number: number,
): { readonly inbound: InboundRequest; readonly outbound: OutboundRequest } {
  const resource = snapshot.resources.get(serviceId('orders').key)
  const index = number % elements
  const address = parseAddress(`10.${index >> 8}.${index & 255}.7`)
  if (resource === undefined || address === undefined) throw new Error('the policy has them')
  const host = { kind: 'name', name: hostname(`n-${index}.example`) } as const
  return {
    inbound: {
      resource,
      network: 'public',
      source: { address, subscriptions: [], perimeters: [] },
    },
    outbound: { resource, destination: { host, port: 443 } },
  }
}
