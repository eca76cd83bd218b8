import { Worker } from 'node:worker_threads'
import type { LineBatch } from '../audit/line-batch.ts'
import type { OperationalLog } from '../audit/operational-log.ts'
import { PerimeterError } from '../errors.ts'
import type {
  CallArgument,
  CallName,
  CallResult,
  FromThread,
  ThreadCall,
  ThreadStart,
} from './thread-calls.ts'

/** A serving thread, seen from the main thread. */
export interface Thread {
  /**
   * Asks it for something. Rejects with what it throws there, and when it has ended. One that does not answer is waited
   * for: whoever asks knows how long that may take.
   */
  call<N extends CallName>(name: N, argument: CallArgument<N>): Promise<CallResult<N>>
  /** Ends it at once; resolves when it has ended. */
  terminate(): Promise<void>
}

export interface ThreadOptions {
  readonly start: ThreadStart
  readonly log: OperationalLog
  readonly onRecords: (batch: LineBatch) => void
  /** It has ended, and everything that it said before has been heard. Called once. */
  readonly onExit: () => void
}

/** Wherever this file is: `.ts` in a checkout, `.js` in a package. */
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'

export function startThread({ start, log, onRecords, onExit }: ThreadOptions): Thread {
  const worker = new Worker(new URL(`./serving-thread${extension}`, import.meta.url), {
    name: `ringfence-${start.index}`,
    workerData: start,
    transferList: [start.policies],
  })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let lastId = 0
  let hasExited = false

  worker.on('message', (message: FromThread) => {
    switch (message.kind) {
      case 'records':
        onRecords(message.batch)
        return
      case 'log':
        log[message.level](message.details, message.message)
        return
      case 'answer':
        waiting.get(message.id)?.resolve(message.result)
        waiting.delete(message.id)
        return
      case 'failed':
        waiting.get(message.id)?.reject(asError(message))
        waiting.delete(message.id)
    }
  })
  worker.on('error', (error) => {
    log.error({ err: error, worker: start.index }, 'bug: a worker has failed')
  })
  worker.on('exit', () => {
    hasExited = true
    for (const { reject } of waiting.values()) reject(gone())
    waiting.clear()
    onExit()
  })

  return {
    async call<N extends CallName>(name: N, argument: CallArgument<N>): Promise<CallResult<N>> {
      if (hasExited) throw gone()
      const answer = Promise.withResolvers<unknown>()
      const call: ThreadCall = { id: ++lastId, name, argument }
      waiting.set(call.id, answer)
      worker.postMessage(call)
      // `ThreadCalls` is what the thread implements: its answer to the name is of the type that belongs to it.
      return (await answer.promise) as CallResult<N>
    },
    async terminate() {
      await worker.terminate()
    },
  }
}

function gone(): Error {
  return new Error('the worker has ended')
}

/** A clone of an error has lost what is ours of it. */
function asError({ code, message }: Extract<FromThread, { kind: 'failed' }>): Error {
  return code === undefined ? new Error(message) : new PerimeterError(code, message)
}
