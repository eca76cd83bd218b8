import { Worker } from 'node:worker_threads'
import { minutes } from '../units.ts'
import type { Filling } from '../workers/arena-pair.ts'
import { describeLoadError, type Prepared, type PrepareRequest } from './prepare-in-force.ts'

/** What `prepare-thread.ts` is started with. */
export interface ThreadTask {
  readonly request: PrepareRequest
  readonly filling: Filling
}

/**
 * A million prefixes and a million names take 15 s, and a minute where others want the processors. What takes longer
 * hangs, and would keep every later reload waiting.
 */
const defaultDeadlineMs = minutes(5)

// The extension of this very file: `.ts` in the repository, `.js` where it was built.
const threadUrl = new URL(`prepare-thread${import.meta.url.slice(-3)}`, import.meta.url)

/**
 * Does `prepareInForce` on a thread of its own, which writes the tables into the filling and ends. Nothing here waits for
 * as long as there are rules. Never rejects: a thread that breaks off is a load that failed.
 */
export async function prepareOffThread(
  request: PrepareRequest,
  given: {
    readonly filling: Filling
    /** Where a repair would show if the thread cannot say. */
    readonly watchPaths: readonly string[]
    readonly deadlineMs?: number
    /** Ends the thread at once. */
    readonly signal?: AbortSignal
  },
): Promise<Prepared> {
  const { filling, watchPaths, deadlineMs = defaultDeadlineMs, signal } = given
  const { promise, resolve } = Promise.withResolvers<Prepared>()
  const fail = (problems: readonly string[]): void => {
    resolve({ kind: 'failed', problems, watchPaths })
  }
  const task: ThreadTask = { request, filling }
  const thread = new Worker(threadUrl, { name: 'ringfence-load', workerData: task })
  const breakOff = (problem: string): void => {
    fail([problem])
    void thread.terminate()
  }
  const deadline = setTimeout(
    () => breakOff(`the policy was not loaded within ${deadlineMs} ms`),
    deadlineMs,
  )
  const onAbort = (): void => breakOff('the load was broken off, the process stops')
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted === true) onAbort()
  thread.once('message', resolve)
  thread.once('error', (error) => fail(describeLoadError(error)))
  thread.once('exit', () => fail(['the thread that loads the policy broke off']))
  try {
    return await promise
  } finally {
    clearTimeout(deadline)
    signal?.removeEventListener('abort', onAbort)
  }
}
