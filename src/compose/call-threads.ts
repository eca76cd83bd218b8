import type { CallArgument, CallName, CallResult } from './thread-calls.ts'
import type { Thread } from './thread.ts'

/** What several threads say to one question. One that ends meanwhile has nothing to say. */
export interface Answers<Result> {
  readonly answers: readonly Result[]
  /** Those that had said nothing when the time was up. */
  readonly late: readonly Thread[]
}

export interface Question<N extends CallName> {
  readonly name: N
  readonly argument: CallArgument<N>
  /** A thread that hangs never answers, and whoever asks must not hang with it. */
  readonly withinMs: number
}

/** Never rejects. */
export async function callThreads<N extends CallName>(
  threads: readonly Thread[],
  { name, argument, withinMs }: Question<N>,
): Promise<Answers<CallResult<N>>> {
  const late: Thread[] = []
  const answers = await Promise.all(
    threads.map(async (thread): Promise<readonly CallResult<N>[]> => {
      try {
        const answer = await within(withinMs, thread.call(name, argument))
        if (answer !== undefined) return [answer.result]
        late.push(thread)
      } catch {
        // It has ended.
      }
      return []
    }),
  )
  return { answers: answers.flat(), late }
}

/** Undefined where it takes longer. Rejects as the work does. */
export async function within<T>(
  ms: number,
  work: Promise<T>,
): Promise<{ readonly result: T } | undefined> {
  const late = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => late.resolve(undefined), ms)
  try {
    return await Promise.race([work.then((result) => ({ result })), late.promise])
  } finally {
    clearTimeout(timer)
  }
}
