import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { newestFirst } from '../admin/denials.ts'
import { sumCounts } from '../admin/sum-counts.ts'
import type { AccessLogWriter } from '../audit/log-writer.ts'
import { beginArena } from '../policy/arena.ts'
import { createDropCounter } from '../transport/dropped.ts'
import { seconds } from '../units.ts'
import type { ArenaPair, Filling } from '../workers/arena-pair.ts'
import type { Bound } from './bound.ts'
import { type Answers, callThreads, type Question, within } from './call-threads.ts'
import { collectGarbage } from './collect-garbage.ts'
import type { DataPlane, NextInForce } from './data-plane.ts'
import type { PlanePorts } from './local-plane.ts'
import { createLiveness, lookEveryMs } from './liveness.ts'
import { type ListenerLocks, lockListeners } from './lock-listeners.ts'
import { createReplacement } from './replacement.ts'
import { type CallName, type CallResult, figure, type ThreadPolicy } from './thread-calls.ts'
import { createSharedFigures, type ThreadFigures } from './thread-figures.ts'
import { startThread, type Thread } from './thread.ts'
import { createTicketKeys } from './ticket-keys.ts'
import { withNarrowMask } from './narrow-mask.ts'

/**
 * Serves on several threads, none of which is this one. They listen on the same addresses, and the kernel deals the
 * connections out; each decides by the one policy in the arenas, and a commit is in force in all of them at once.
 *
 *   main thread                                     thread 0 … n-1
 *   files, compile ──▶ arena ── prepare, commit ──▶ decide, forward
 *   access log ◀──────────── lines in batches ───── records
 *   metrics ◀─────────────── shared memory ──────── counts
 *
 * A thread that ends takes its own connections with it and nothing else; another takes its place.
 */
export interface ThreadPlaneOptions extends Omit<PlanePorts, 'accessLog' | 'currentInForce'> {
  readonly writer: AccessLogWriter
  /** One word, not 0 while the writer blocks new work. */
  readonly isBlocked: Int32Array
}

interface Slot {
  readonly index: number
  readonly figures: ThreadFigures
  /** Undefined while another has to take the place. */
  running: { readonly thread: Thread; readonly policies: MessagePort } | undefined
  isServing: boolean
}

/** A thread that does not answer for so long is not waited for, and where that would leave the old rules in force, ended. */
const followMs = seconds(10)
const closeMs = seconds(5)
/** To load its code on a busy machine, or to open its listeners. */
const bringUpMs = seconds(20)
/** It has nothing to do for these but to answer; an operator waits. */
const denialsMs = seconds(2)
/** Beyond what a drain may take: that is for the thread to say. */
const finishGraceMs = seconds(1)

export function createThreadPlane(options: ThreadPlaneOptions): DataPlane {
  const { first, log, bound, now, writer, boot, isBlocked } = options
  const pair = options.arenas()
  const { settings } = first.inForce
  const threads = settings.workers
  const shared = createSharedFigures(threads)
  const slots: readonly Slot[] = shared.threads.map((figures, index) => ({
    index,
    figures,
    running: undefined,
    isServing: false,
  }))
  const withTicketKeys = createTicketKeys()
  const replacement = createReplacement({
    replace,
    onFailure: (error, worker) => log.error({ err: error, worker }, 'a worker cannot be replaced'),
    monotonicNow: () => performance.now(),
  })
  let lately = 0
  const countLost = createDropCounter(() => {
    log.error({ recordsLost: lately }, 'workers have lost records')
    lately = 0
  })
  const liveness = createLiveness({
    beats: () =>
      slots.map(({ isServing, figures }) =>
        isServing ? figures.memory.figures[figure.beat] : undefined,
      ),
    onSilent(index) {
      log.error({ worker: index }, 'a worker hangs: it is ended, and its connections with it')
      for (const slot of slots) if (slot.index === index) void terminate(slot)
    },
  })
  let looks: NodeJS.Timeout | undefined
  let locks: ListenerLocks | undefined
  let hasStarted = false
  let isEnding = false
  let replaced = 0

  return {
    async listen(add) {
      locks = await lockListeners(settings)
      await commit(first)
      for (const slot of slots) start(slot)
      for (const slot of slots) {
        const opened = await bringUp(slot)
        // The first finds out which ports the system chooses, and the others take the same.
        if (slot.index > 0) continue
        for (const one of opened) await add(() => Promise.resolve(one))
        await locks.found(opened)
      }
      locks.started()
      hasStarted = true
      looks = setInterval(() => liveness.look(), lookEveryMs).unref()
      // Nobody waits for this thread.
      collectGarbage()
    },
    async learn() {
      await callAll({ name: 'learn', argument: bound, withinMs: followMs })
    },
    async swap(next, apply) {
      await commit(next)
      apply()
      return async () => {
        const followed = { name: 'follow', argument: undefined, withinMs: followMs } as const
        for (const thread of (await callAll(followed)).late) {
          // What it has open may be what was just forbidden.
          log.error('a worker does not judge again what it has open: it is ended, and all of that')
          await end(thread)
        }
      }
    },
    async finish(side, timeoutMs) {
      isEnding = true
      replacement.stop()
      const argument = { side, timeoutMs }
      const withinMs = timeoutMs + finishGraceMs
      const { answers, late } = await callAll({ name: 'finish', argument, withinMs })
      return late.length === 0 && answers.every((finished) => finished)
    },
    async close() {
      isEnding = true
      replacement.stop()
      await callAll({ name: 'close', argument: undefined, withinMs: closeMs })
      clearInterval(looks)
      for (const slot of slots) await terminate(slot)
      pair.close()
      locks?.release()
    },
    counts: () => sumCounts(shared.threads.map(({ memory }) => memory.counts)),
    async denials(correlationId) {
      const asked = { name: 'denials', argument: correlationId, withinMs: denialsMs } as const
      const { answers, late } = await callAll(asked)
      if (late.length > 0) log.warn('a worker does not answer: the denials lack its own')
      return newestFirst(answers.flat())
    },
    get open() {
      return shared.open
    },
    get faults() {
      return shared.faults
    },
    get workers() {
      const serving = slots.filter(({ isServing }) => isServing).length
      return { wanted: threads, serving, replaced }
    },
  }

  /** In force everywhere at once, or nowhere. */
  async function commit(next: NextInForce): Promise<void> {
    const { settings, backendAuthorities, proxyAuthorization } = next.inForce
    const keys = settings.resources.map(({ id }) => id.key)
    const resources = shared.resourcesOf(keys)
    const policy: ThreadPolicy = {
      settings,
      policy: next.policy,
      backendAuthorities,
      proxyAuthorization: proxyAuthorization(),
      pems: withTicketKeys(next.pems),
      resources,
      slots: shared.slotsOf(keys),
    }
    await pair.commit(next.filling ?? (await emptyFilling(pair)), policy)
    shared.setResources(resources)
  }

  function start(slot: Slot): void {
    const { index, figures } = slot
    const { port1, port2 } = new MessageChannel()
    const thread = startThread({
      start: {
        index,
        threads,
        instance: settings.instance,
        boot,
        memory: figures.memory,
        policies: port2,
        control: pair.control,
        isBlocked,
        audit: {
          maxWaitingBytes: Math.floor(settings.audit.bufferBytes / threads),
          onFailure: settings.audit.onFailure,
        },
      },
      log,
      onRecords(batch) {
        figures.take(batch)
        if (batch.lost !== undefined) {
          writer.addLost(batch.lost)
          lately += batch.lost.count
          countLost()
        }
        writer.acceptLines(batch)
      },
      onExit: () => onExit(slot),
    })
    slot.running = { thread, policies: port1 }
  }

  /** Resolves with what it has bound, once it serves by what is in force. */
  async function bringUp(slot: Slot): Promise<readonly Bound[]> {
    if (slot.running === undefined) throw new Error('the worker has ended')
    const { thread, policies } = slot.running
    await answered(thread.call('learn', bound))
    await pair.addReader(policies)
    const opened = await withNarrowMask(() => answered(thread.call('listen', undefined)))
    slot.isServing = true
    // A swap may have passed it by between its first connection and this.
    await answered(thread.call('follow', undefined))
    return opened
  }

  function onExit(slot: Slot): void {
    const { index, figures, running } = slot
    running?.policies.close()
    slot.running = undefined
    slot.isServing = false
    const lost = figures.settle(now())
    if (lost !== undefined) writer.addLost(lost)
    if (isEnding || !hasStarted) return
    replaced++
    log.error(
      { worker: index, recordsLost: lost?.count ?? 0 },
      'a worker has ended, and its connections with it: another takes its place',
    )
    replacement.ended(index)
  }

  async function replace(index: number): Promise<void> {
    const slot = slots[index]
    if (slot === undefined || slot.running !== undefined) return
    start(slot)
    try {
      await bringUp(slot)
    } catch (error) {
      // Its end calls for the next.
      await terminate(slot)
      throw error
    }
    // The end has begun meanwhile, and has asked those that were there to take nothing new.
    if (isEnding) await terminate(slot)
  }

  /** Those that serve. */
  function callAll<N extends CallName>(question: Question<N>): Promise<Answers<CallResult<N>>> {
    const serving = slots.flatMap(({ running, isServing }) =>
      running === undefined || !isServing ? [] : [running.thread],
    )
    return callThreads(serving, question)
  }
}

/** A small policy is cloned for each thread: in the arena is nothing of it but the number of the commit. */
async function emptyFilling(pair: ArenaPair): Promise<Filling> {
  const filling = await pair.beginFilling()
  beginArena(filling.buffer, filling.epoch).finish()
  return filling
}

async function terminate({ running }: Slot): Promise<void> {
  if (running !== undefined) await end(running.thread)
}

/** One that hangs outside of JavaScript cannot be ended, and is not waited for either. */
async function end(thread: Thread): Promise<void> {
  await within(closeMs, thread.terminate())
}

/** A thread that is starting must say something in the end. */
async function answered<T>(work: Promise<T>): Promise<T> {
  const answer = await within(bringUpMs, work)
  if (answer === undefined) throw new Error('the worker does not answer')
  return answer.result
}
