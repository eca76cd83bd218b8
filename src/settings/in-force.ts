import type { AddressGuard } from '../policy/address-guard.ts'
import type { PolicySnapshot } from '../policy/snapshot.ts'
import type { Settings } from './settings.ts'

/**
 * All that a decision reads, as one frozen object behind one reference. A reload builds the next one whole and swaps
 * the reference: no reader ever sees half of a change.
 */
export interface InForce {
  /** SHA-256 of everything that decides, settings included: equal versions decide equally. Same as `snapshot.version`. */
  readonly version: string
  readonly settings: Settings
  readonly snapshot: PolicySnapshot
  readonly guard: AddressGuard
  /** As read together with the settings: nothing on the way of a request reads a file. */
  readonly backendAuthorities: BackendAuthorities
  /** What the upstream proxy wants to see. A function, so that no dump of this object shows it. */
  readonly proxyAuthorization: () => string | undefined
}

/**
 * PEM text by file, complete or not in force: what the certificates of `https:` back ends, of the upstream proxy and of other
 * instances are verified against, and what proves members to other instances, keys included. Never logged, never shown.
 */
export type BackendAuthorities = ReadonlyMap<string, string>

/** Reads what is in force now; undefined before the first policy is loaded, which denies everything. */
export type CurrentInForce = () => InForce | undefined
