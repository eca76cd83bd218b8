import type { TokenSettings } from '../../src/settings/settings.ts'
import type { InForceParts } from './settings-parts.ts'
import { guid, guidFor, resourceId, testSubscription } from './settings-parts.ts'
import { claimsOf, createIssuerKey, type IssuerKey, issuerOf, signToken } from './tokens.ts'

/**
 * Two members of one perimeter, `orders` and `vault`, each with an audience of its own. Nobody is let in by address: only
 * members, and whoever is of the partner's subscription. One issuer may speak for both subscriptions and the perimeter.
 */

export const partner = guid('22222222-2222-2222-2222-222222222222')
export const unknownPerimeter = guidFor('elsewhere')
export const issuerKey = createIssuerKey('one')

/** A managed identity of the partner. */
export const partnerApp = resourceId('app', partner).text

export function tokenShop(
  backend: string,
  {
    tokens = { header: 'authorization', issuers: [issuerOf([issuerKey])] },
    ...more
  }: Partial<InForceParts> & { readonly tokens?: TokenSettings } = {},
): InForceParts {
  const speaker = {
    perimeters: [guidFor('shop'), unknownPerimeter],
    subscriptions: [guid(testSubscription), partner],
  }
  return {
    resources: [
      { id: 'orders', hosts: ['orders.test'], backend, audience: 'api://orders' },
      { id: 'vault', hosts: ['vault.test'], backend, audience: 'api://vault' },
    ],
    perimeters: [
      {
        name: 'shop',
        profiles: [{ name: 'web', accessRules: [{ name: 'partner', subscriptions: [partner] }] }],
        associations: [{ resource: 'orders' }, { resource: 'vault' }],
      },
    ],
    tokens,
    speakers: new Map(tokens.issuers.map((issuer) => [issuer.speaker, speaker])),
    ...more,
  }
}

/** The value of Authorization for a managed identity. */
export function bearerOf(
  resource: string,
  more: Readonly<Record<string, unknown>> = {},
  key: IssuerKey = issuerKey,
): string {
  return `Bearer ${signToken(key, claimsOf(resource, more))}`
}

export const vault = resourceId('vault').text
