import type { Guid } from '../perimeter/guid.ts'
import type { Statement } from './proof.ts'

/** What an issuer or a certificate authority may speak for: nothing that is not listed. */
export interface TrustScope {
  readonly perimeters: readonly Guid[]
  readonly subscriptions: readonly Guid[]
}

/**
 * What counts of a statement of somebody with this scope. Undefined: nothing, because it is about a caller in a
 * subscription that is not theirs to speak for, says two things about its subscription, or says nothing that counts. A
 * perimeter outside the scope is left out.
 */
export function limitToScope(statement: Statement, scope: TrustScope): Statement | undefined {
  const { resource, subscription } = statement
  if (resource !== undefined && subscription !== undefined) {
    if (resource.subscriptionId !== subscription) return undefined
  }
  const home = resource?.subscriptionId ?? subscription
  if (home !== undefined && !scope.subscriptions.includes(home)) return undefined
  const perimeters = statement.perimeters.filter((guid) => scope.perimeters.includes(guid))
  if (home === undefined && perimeters.length === 0) return undefined
  return { resource, subscription: home, perimeters }
}
