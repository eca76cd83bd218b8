import type { MessagePort } from 'node:worker_threads'
import type { Denial } from '../admin/denials.ts'
import type { Counts } from '../admin/tally.ts'
import type { LineBatch } from '../audit/line-batch.ts'
import type { ErrorCode } from '../errors.ts'
import type { CompiledPolicy } from '../policy/compiled-policy.ts'
import type { BackendAuthorities } from '../settings/in-force.ts'
import type { Settings } from '../settings/settings.ts'
import type { SharedSlots } from '../transport/tunnel-slots.ts'
import type { Bound } from './bound.ts'
import type { Side } from './data-plane.ts'
import type { ListenerPems } from './read-secure-contexts.ts'

/** What the main thread and those that serve say to one another. All of it can be cloned. */

/** What a serving thread is started with. */
export interface ThreadStart {
  /** From 0. */
  readonly index: number
  readonly threads: number
  readonly instance: string
  readonly boot: string
  readonly memory: ThreadMemory
  /** Where policies come by; the other end is the arena pair's. */
  readonly policies: MessagePort
  /** Of the arena pair. */
  readonly control: SharedArrayBuffer
  /** One word for all threads: not 0 while the writer of the access log blocks new work. */
  readonly isBlocked: Int32Array
  readonly audit: {
    readonly maxWaitingBytes: number
    readonly onFailure: 'deny' | 'continue'
  }
}

/** What one thread and the main thread share. It outlives the thread, and serves the one that takes its place. */
export interface ThreadMemory {
  readonly counts: Counts
  /** At `figure`. Written by the thread alone. */
  readonly figures: Float64Array
  /** One word: bytes of records that were handed over and are not taken yet. */
  readonly waiting: Int32Array
}

/** Positions in `ThreadMemory.figures`. */
export const figure = { records: 0, open: 1, faults: 2, beat: 3 } as const

export const figureCount = 4

/** What is put in force in each thread. */
export interface ThreadPolicy {
  readonly settings: Settings
  readonly policy: CompiledPolicy
  readonly backendAuthorities: BackendAuthorities
  readonly proxyAuthorization: string | undefined
  readonly pems: ListenerPems
  /** For each thread, the figures of resources. */
  readonly resources: readonly Counts['resources'][]
  readonly slots: SharedSlots
}

/** What the main thread asks of a serving thread. */
export interface ThreadCalls {
  /** What is bound by whom, before the next policy is opened. */
  learn(bound: readonly Bound[]): void
  listen(): Promise<readonly Bound[]>
  /** After a commit: everything that is open follows. */
  follow(): Promise<void>
  finish(what: { readonly side: Side; readonly timeoutMs: number }): Promise<boolean>
  denials(correlationId: string | undefined): readonly Denial[]
  close(): Promise<void>
}

export type CallName = keyof ThreadCalls
export type CallArgument<N extends CallName> = Parameters<ThreadCalls[N]>[0]
export type CallResult<N extends CallName> = Awaited<ReturnType<ThreadCalls[N]>>

export interface ThreadCall {
  readonly id: number
  readonly name: CallName
  readonly argument: unknown
}

export type FromThread =
  | { readonly kind: 'answer'; readonly id: number; readonly result: unknown }
  | {
      readonly kind: 'failed'
      readonly id: number
      readonly code: ErrorCode | undefined
      readonly message: string
    }
  | { readonly kind: 'records'; readonly batch: LineBatch }
  | {
      readonly kind: 'log'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly details: object
      readonly message: string
    }
