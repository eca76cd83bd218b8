import type { MessagePort } from 'node:worker_threads'
import { PerimeterError } from '../errors.ts'
import { assertCurrent, createArenaBuffer } from '../policy/arena.ts'
import { seconds } from '../units.ts'
import { controlBytes, epochInForce, type ToReader, type ToWriter } from './arena-messages.ts'

/** The writing side. One thread owns it; it fills and commits one policy after another. */
export interface ArenaPair {
  /** For `createArenaReader` in the threads that read. */
  readonly control: SharedArrayBuffer
  /**
   * The spare, once every reader has said that it looks at what is in force and at nothing else. Fill it with
   * `beginArena(buffer, epoch)` and `finish()`, here or on another thread. A filling that comes to nothing is simply
   * followed by another.
   *
   * Rejects if a reader says nothing for too long: it may still look there. Nothing has changed then.
   */
  beginFilling(): Promise<Filling>
  /**
   * Puts a filling in force everywhere at once: every reader opens the payload beside what it decides by, and when all
   * have, one store switches them. The payload is what `open` of the readers takes; it is cloned for each.
   *
   * Rejects if a reader cannot open it, or says nothing for too long. Nothing has changed then.
   */
  commit(filling: Filling, payload: unknown): Promise<void>
  /**
   * Takes a reader in; resolves when it has what is in force. `port` is the other end of the port that it reads from.
   * One whose port closes, by itself or with its thread, is waited for no more.
   */
  addReader(port: MessagePort): Promise<void>
  /** Closes the ports to all readers. They keep what is in force. */
  close(): void
}

/** One filling of one of the two buffers. */
export interface Filling {
  readonly buffer: SharedArrayBuffer
  readonly epoch: number
}

export interface ArenaPairOptions {
  /** How long a reader may take to answer. One that is busy for so long serves nobody. */
  readonly answerMs?: number
}

const defaultAnswerMs = seconds(10)

interface Reader {
  readonly port: MessagePort
  /** What it looks at; 0 for nothing. */
  holds: number
  /** What it said last about an epoch that it was to prepare. */
  answer: Exclude<ToWriter, { kind: 'holds' }> | undefined
}

export function createArenaPair({ answerMs = defaultAnswerMs }: ArenaPairOptions = {}): ArenaPair {
  const control = new SharedArrayBuffer(controlBytes)
  const word = new Int32Array(control)
  /** Epochs in the first are even, in the second odd. */
  const buffers = [createArenaBuffer(), createArenaBuffer()] as const
  const readers = new Set<Reader>()
  let inForce: { readonly epoch: number; readonly payload: unknown } = {
    epoch: 0,
    payload: undefined,
  }
  let lastEpoch = 0
  let answered = Promise.withResolvers<void>()
  /** One after the other: whoever is taken in during a commit gets what it commits. */
  let steps: Promise<void> = Promise.resolve()

  return {
    control,
    async beginFilling() {
      await waitFor([...readers], ({ holds }) => holds === inForce.epoch)
      // Of the spare, and never used before: what remembers an older filling must not take this one for it.
      lastEpoch += (lastEpoch - inForce.epoch) % 2 === 0 ? 1 : 2
      const buffer = buffers[lastEpoch % 2 === 0 ? 0 : 1]
      return { buffer, epoch: lastEpoch }
    },
    commit: (filling, payload) => inTurn(() => commit(filling, payload)),
    addReader: (port) => inTurn(() => addReader(port)),
    close() {
      for (const { port } of readers) port.close()
    },
  }

  async function inTurn(step: () => Promise<void>): Promise<void> {
    const turn = steps.then(step)
    steps = turn.catch(ignore)
    await turn
  }

  async function commit({ buffer, epoch }: Filling, payload: unknown): Promise<void> {
    assertCurrent({ word: new Int32Array(buffer, 0, 1), value: epoch })
    await prepare([...readers], { epoch, payload })
    inForce = { epoch, payload }
    Atomics.store(word, epochInForce, epoch)
    for (const reader of readers) tell(reader, { kind: 'committed', epoch })
  }

  async function prepare(
    asked: readonly Reader[],
    { epoch, payload }: { readonly epoch: number; readonly payload: unknown },
  ): Promise<void> {
    for (const reader of asked) tell(reader, { kind: 'prepare', epoch, payload })
    await waitFor(asked, ({ answer }) => answer?.epoch === epoch)
    for (const { answer } of asked) {
      if (answer?.kind !== 'refused') continue
      throw new PerimeterError('RF_POLICY', `a thread cannot take the policy: ${answer.message}`)
    }
  }

  async function addReader(port: MessagePort): Promise<void> {
    const reader: Reader = { port, holds: 0, answer: undefined }
    readers.add(reader)
    port.on('message', (message: ToWriter) => {
      if (message.kind === 'holds') reader.holds = message.epoch
      else reader.answer = message
      wake()
    })
    port.on('close', () => {
      readers.delete(reader)
      wake()
    })
    // The threads keep the process alive, not what they say here.
    port.unref()
    if (inForce.epoch === 0) return
    try {
      await prepare([reader], inForce)
    } catch (error) {
      port.close()
      throw error
    }
    tell(reader, { kind: 'committed', epoch: inForce.epoch })
  }

  function tell({ port }: Reader, message: ToReader): void {
    port.postMessage(message)
  }

  function wake(): void {
    answered.resolve()
    answered = Promise.withResolvers<void>()
  }

  /** Waits until all who are asked, and are still there, are done. */
  async function waitFor(
    asked: readonly Reader[],
    isDone: (reader: Reader) => boolean,
  ): Promise<void> {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      wake()
    }, answerMs)
    try {
      for (;;) {
        const open = asked.filter((reader) => readers.has(reader) && !isDone(reader))
        if (open.length === 0) return
        if (isLate) {
          throw new PerimeterError(
            'RF_POLICY',
            `${open.length} of ${readers.size} threads did not answer in ${answerMs} ms; the policy in force stays`,
          )
        }
        await answered.promise
      }
    } finally {
      clearTimeout(timer)
    }
  }
}

function ignore(): void {
  // Told to whoever asked for that step.
}
