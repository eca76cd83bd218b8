import { foldName, type RawHeaders, withoutHeaders } from '../wire/headers.ts'
import { isForwardingHeader } from '../wire/forwarded.ts'
import type { IdentityHeader } from './caller.ts'

/** The names under which identity arrives, and every spelling that means the same to somebody behind us. */

/** As in settings: one name for each kind. */
export interface IdentityHeaderNames extends Readonly<Record<IdentityHeader['kind'], string>> {
  /** Of tokens, where they have a header of their own: it goes no further than to us. */
  readonly token?: string
}

type HeaderKind = IdentityHeader['kind'] | 'token'

/** The names of a settings object never change, so they are folded once for each. */
const foldedByNames = new WeakMap<IdentityHeaderNames, ReadonlyMap<string, HeaderKind>>()

/** Which identity header a name is in any spelling (case, any sign for `-`); undefined for all others. */
export function identityKind(names: IdentityHeaderNames, name: string): HeaderKind | undefined {
  return foldedKinds(names).get(foldName(name))
}

function foldedKinds(names: IdentityHeaderNames): ReadonlyMap<string, HeaderKind> {
  let kinds = foldedByNames.get(names)
  if (kinds === undefined) {
    const made = new Map<string, HeaderKind>([
      [foldName(names.subscription), 'subscription'],
      [foldName(names.perimeter), 'perimeter'],
      [foldName(names.resource), 'resource'],
    ])
    if (names.token !== undefined) made.set(foldName(names.token), 'token')
    foldedByNames.set(names, made)
    kinds = made
  }
  return kinds
}

/** Whether a field says who calls or where from, in any spelling. `folded` is a name from `foldName`. */
export function isCallerHeader(names: IdentityHeaderNames, folded: string): boolean {
  return isForwardingHeader(folded) || foldedKinds(names).has(folded)
}

/**
 * A copy without identity and forwarding headers in any spelling: what may go on to a back end (which then gets our own
 * forwarding headers) or leave by egress (which gets none).
 */
export function withoutCallerHeaders(raw: RawHeaders, names: IdentityHeaderNames): string[] {
  return withoutHeaders(raw, (lowerName) => isCallerHeader(names, foldName(lowerName)))
}
