import type { Guid } from '../perimeter/guid.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'

/** What somebody says about a caller: its resource, its subscription (that of the resource, if both) and its perimeters. */
export interface Statement {
  readonly resource: ResourceId | undefined
  readonly subscription: Guid | undefined
  readonly perimeters: readonly Guid[]
}

/**
 * A statement that a signature vouches for: of a certificate (`ConnectionFacts`) or a token (`RequestFacts`). Whoever makes
 * one has verified it. Whether it counts is judged with what is in force, and again whenever that changes.
 */
export interface Proof {
  /** Who signed it: a key of `Speakers`. Whoever is verified otherwise than before has another key. */
  readonly speaker: string
  /** All of it, whatever the speaker may speak for. */
  readonly statement: Statement
  /** For whom it was made: it proves nothing to others. Absent: to everyone, as certificates do. */
  readonly audiences?: readonly string[]
  /** Milliseconds since the epoch. From then on it proves nothing. */
  readonly expiresAt: number
}
