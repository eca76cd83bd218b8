import type { Guid } from '../perimeter/guid.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { Unidentified } from './caller.ts'
import type { Proof, Statement } from './proof.ts'
import { limitToScope, type TrustScope } from './trust-scope.ts'

/** An issuer or certificate authority: what it may speak for, and to whom. */
export interface Speaker extends TrustScope {
  /** Who counts as meant by what it says, where a resource has no audience of its own. */
  readonly audiences?: readonly string[]
}

/** By their keys. */
export type Speakers = ReadonlyMap<string, Speaker>

export interface ProofRules {
  readonly speakers: Speakers
  /** Of the resource that is asked for: what is meant for anybody else proves nothing to it. */
  readonly audience: string | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
  /** The perimeter that a resource has by what is in force, where that is known. */
  readonly homeOf: (resource: ResourceId) => Guid | undefined
}

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
 * is not for us to choose.
 */
export function readProofs(
  proofs: readonly Proof[],
  rules: ProofRules,
): Proven | Unproven | Unidentified {
  let result: Proven | Unproven = nothingOffered
  for (const proof of proofs) {
    const read = readProof(proof, rules)
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
  { speaker: key, statement, audiences, expiresAt }: Proof,
  { speakers, audience, now, homeOf }: ProofRules,
): Proven | Unproven {
  const speaker = speakers.get(key)
  if (speaker === undefined) return unproven('proof of somebody who is not trusted')
  if (expiresAt <= now) return unproven('proof that has expired')
  if (audiences !== undefined) {
    const meant = audience === undefined ? (speaker.audiences ?? []) : [audience]
    if (!audiences.some((one) => meant.includes(one))) return unproven('proof made for others')
  }
  const limited = limitToScope(statement, speaker)
  // THREAT: a member has the perimeter that we know, so whoever names a member speaks for that one, whichever it claims.
  const home = limited?.resource && homeOf(limited.resource)
  const isWithin = home === undefined || speaker.perimeters.includes(home)
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
