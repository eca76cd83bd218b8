import { hash, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { parseSecretHash, type SecretHash } from '../perimeter/secret-hash.ts'
import type { BasicCredentials } from './basic-credentials.ts'
import { isSecret } from './verify-secret.ts'

/** `busy`: too many others are being checked, or too many from the same address. */
export type SecretCheck = 'right' | 'wrong' | 'busy'

export interface SecretQuestion {
  /** As they were presented: what is remembered is found by a keyed hash of this. */
  readonly presented: string
  readonly credentials: BasicCredentials
  /** The user's, as settings have it; undefined: there is no such user. */
  readonly stored: string | undefined
  /** One that others have: an unknown user costs as much as a known one. */
  readonly likeness: string
  /** The client's address. */
  readonly peer: string
}

export interface SecretChecks {
  /** At once where the same was asked before, else off this thread. Never rejects. */
  check(question: SecretQuestion): SecretCheck | Promise<SecretCheck>
}

/** Members and their clients, and room for a rotation. */
const maxRight = 1024
/** THREAT: a flood of wrong secrets only pushes out others of its kind. */
const maxWrong = 1024

/** Each takes 16 MiB and one of the four threads on which files are read and written too. */
const maxWaiting = 32
/** Who is new has its turn although somebody else tries out secrets. */
const maxWaitingOfPeer = 8

/** `derive` says whether it is the secret; tests have another. */
export function createSecretChecks(derive: typeof isSecret = isSecret): SecretChecks {
  const key = randomBytes(32).toString('base64')
  const right = new LRUCache<string, string>({ max: maxRight })
  const wrong = new LRUCache<string, string>({ max: maxWrong })
  const underWay = new Map<string, Promise<SecretCheck>>()
  const waitingOf = new Map<string, number>()
  let turn: Promise<unknown> = Promise.resolve()

  function check(question: SecretQuestion): SecretCheck | Promise<SecretCheck> {
    // A user that comes to be there later is another question.
    const stored = question.stored ?? `unknown ${question.likeness}`
    // What is remembered, of whatever settings, is of use to nobody without the key.
    const digest = hash('sha256', key + question.presented, 'base64')
    if (right.get(digest) === stored) return 'right'
    if (wrong.get(digest) === stored) return 'wrong'
    const id = `${digest} ${stored}`
    const same = underWay.get(id)
    if (same !== undefined) return same
    const { peer } = question
    const waiting = waitingOf.get(peer) ?? 0
    if (underWay.size >= maxWaiting || waiting >= maxWaitingOfPeer) return 'busy'
    waitingOf.set(peer, waiting + 1)
    const answer = turn
      .then(() => ask(question, { stored, digest }))
      .finally(() => {
        underWay.delete(id)
        leave(peer)
      })
    turn = answer
    underWay.set(id, answer)
    return answer
  }

  async function ask(
    question: SecretQuestion,
    { stored, digest }: { readonly stored: string; readonly digest: string },
  ): Promise<SecretCheck> {
    const parsed = parseSecretHash(question.stored ?? question.likeness)
    const isRight = parsed !== undefined && (await holds(question.credentials.secret, parsed))
    // INVARIANT: an unknown user is never right, whatever the likeness says.
    if (isRight && question.stored !== undefined) {
      right.set(digest, stored)
      return 'right'
    }
    wrong.set(digest, stored)
    return 'wrong'
  }

  /** A fault is no secret. */
  async function holds(secret: Buffer, parsed: SecretHash): Promise<boolean> {
    try {
      return await derive(secret, parsed)
    } catch {
      return false
    }
  }

  function leave(peer: string): void {
    const waiting = waitingOf.get(peer) ?? 0
    if (waiting > 1) waitingOf.set(peer, waiting - 1)
    else waitingOf.delete(peer)
  }

  return { check }
}

let shared: SecretChecks | undefined

/** Those of this thread: its listeners together have one turn at a time. Made when they are first asked. */
export function sharedSecretChecks(): SecretChecks {
  shared ??= createSecretChecks()
  return shared
}
