import type { Guid } from '../perimeter/guid.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { Unidentified } from './caller.ts'
import type { Proof, Statement } from './proof.ts'
import { limitToScope, type TrustScope } from './trust-scope.ts'

/** What each issuer and certificate authority may speak for, by its key. */
export type Speakers = ReadonlyMap<string, TrustScope>

interface Proven {
  readonly kind: 'proven'
  readonly statement: Statement
  /** When the first of the proofs expires; milliseconds since the epoch. */
  readonly expiresAt: number
}

interface Unproven {
  readonly kind: 'unproven'
  /** What is wrong with what was offered, a fixed phrase for the log; undefined where nothing was. */
  readonly note: string | undefined
}

const nothingOffered: Unproven = { kind: 'unproven', note: undefined }

/**
 * What the proofs that count say together. Two that name different callers are refused: which of them a rule would mean
 * is not for us to choose. `now` is milliseconds since the epoch.
 */
export function readProofs(
  proofs: readonly Proof[],
  given: {
    readonly speakers: Speakers
    readonly now: number
    /** The perimeter that a resource has by what is in force, where that is known. */
    readonly homeOf: (resource: ResourceId) => Guid | undefined
  },
): Proven | Unproven | Unidentified {
  let result: Proven | Unproven = nothingOffered
  for (const proof of proofs) {
    const read = readProof(proof, { ...given, scope: given.speakers.get(proof.speaker) })
    if (result.kind === 'unproven') {
      result = read.kind === 'proven' || result.note === undefined ? read : result
    } else if (read.kind === 'proven') {
      if (!nameTheSame(result.statement, read.statement)) {
        return {
          kind: 'bad-request',
          detail: 'two proofs that name different callers',
        }
      }
      result = join(result, read)
    }
  }
  return result
}

function readProof(
  { statement, expiresAt }: Proof,
  given: {
    readonly scope: TrustScope | undefined
    readonly now: number
    readonly homeOf: (resource: ResourceId) => Guid | undefined
  },
): Proven | Unproven {
  const { scope, now, homeOf } = given
  if (scope === undefined) return unproven('proof of somebody who is not trusted')
  if (expiresAt <= now) return unproven('proof that has expired')
  const limited = limitToScope(statement, scope)
  // THREAT: a member has the perimeter that we know, so whoever names a member speaks for that one, whichever it claims.
  const home = limited?.resource && homeOf(limited.resource)
  const isWithin = home === undefined || scope.perimeters.includes(home)
  if (limited === undefined || !isWithin) {
    return unproven('proof of somebody who may not speak for the caller')
  }
  return { kind: 'proven', statement: limited, expiresAt }
}

function unproven(note: string): Unproven {
  return { kind: 'unproven', note }
}

/** What only one of them says, the other does not contradict. */
function nameTheSame(one: Statement, other: Statement): boolean {
  return (
    agree(one.resource?.key, other.resource?.key) &&
    agree(subscriptionOf(one), subscriptionOf(other))
  )
}

function agree(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one === other
}

function subscriptionOf({ resource, subscription }: Statement): Guid | undefined {
  return resource?.subscriptionId ?? subscription
}

function join(one: Proven, other: Proven): Proven {
  return {
    kind: 'proven',
    statement: {
      resource: one.statement.resource ?? other.statement.resource,
      subscription: subscriptionOf(one.statement) ?? subscriptionOf(other.statement),
      perimeters: [...new Set([...one.statement.perimeters, ...other.statement.perimeters])],
    },
    expiresAt: Math.min(one.expiresAt, other.expiresAt),
  }
}
