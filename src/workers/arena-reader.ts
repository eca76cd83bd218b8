import type { MessagePort } from 'node:worker_threads'
import { epochInForce, type ToReader, type ToWriter } from './arena-messages.ts'

/** The reading side, in a thread that decides. */
export interface ArenaReader<Value> {
  /**
   * What is in force: one atomic read, for each decision anew. Undefined, which denies everything, before the first
   * commit and wherever what is in force was never prepared here. Who keeps the value for longer than it takes to
   * decide finds its tables gone two commits later.
   */
  current(): Value | undefined
  close(): void
}

export interface ArenaReaderOptions<Payload, Value> {
  /** The other end is the writer's. */
  readonly port: MessagePort
  /** Of the pair. */
  readonly control: SharedArrayBuffer
  /** Makes of a payload what this thread decides by. What it throws keeps the payload from being put in force anywhere. */
  readonly open: (payload: Payload) => Value
  /** Told once for each commit, after this thread has left what was before; now is the time to judge again. */
  readonly onCommit?: (value: Value) => void
}

export function createArenaReader<Payload, Value>(
  options: ArenaReaderOptions<Payload, Value>,
): ArenaReader<Value> {
  const { port, open, onCommit } = options
  const word = new Int32Array(options.control)
  let held: { readonly epoch: number; readonly value: Value } | undefined
  let prepared: typeof held

  function current(): Value | undefined {
    const epoch = Atomics.load(word, epochInForce)
    if (held?.epoch !== epoch) {
      held = undefined
      // What is prepared for later stays: it is asked for again when it is in force.
      if (prepared?.epoch === epoch) {
        held = prepared
        prepared = undefined
      }
    }
    return held?.value
  }

  function prepare({
    epoch,
    payload,
  }: {
    readonly epoch: number
    readonly payload: Payload
  }): void {
    // What was committed before is in force, whether or not anybody has decided since.
    current()
    try {
      prepared = { epoch, value: open(payload) }
      answer({ kind: 'prepared', epoch })
    } catch (error) {
      prepared = undefined
      const message = error instanceof Error ? error.message : String(error)
      answer({ kind: 'refused', epoch, message })
    }
  }

  function answer(message: ToWriter): void {
    port.postMessage(message)
  }

  port.on('message', (message: ToReader<Payload>) => {
    if (message.kind === 'prepare') {
      prepare(message)
      return
    }
    const value = current()
    answer({ kind: 'holds', epoch: held?.epoch ?? 0 })
    if (value !== undefined) onCommit?.(value)
  })

  return { current, close: () => port.close() }
}
