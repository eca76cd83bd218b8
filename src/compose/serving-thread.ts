import assert from 'node:assert/strict'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { createCountingLog } from '../admin/counting-log.ts'
import { createRecentDenials } from '../admin/denials.ts'
import { createTally } from '../admin/tally.ts'
import { createCrossingLog } from '../audit/crossing-log.ts'
import type { OperationalLog } from '../audit/operational-log.ts'
import { PerimeterError } from '../errors.ts'
import { createOpenConnections } from '../transport/connections.ts'
import { createSharedTunnelSlots, setTunnelSlots } from '../transport/tunnel-slots.ts'
import { createArenaReader } from '../workers/arena-reader.ts'
import { type Bound, createOwnListeners } from './bound.ts'
import { openInForce } from './build-in-force.ts'
import { collectGarbage } from './collect-garbage.ts'
import { createFaults, keepAlive } from './faults.ts'
import { createOpenings } from './openings.ts'
import type { ListenerPems } from './read-secure-contexts.ts'
import { createServing, type Serving } from './serving.ts'
import { shareOut } from './share-out.ts'
import {
  type FromThread,
  figure,
  type ThreadCall,
  type ThreadCalls,
  type ThreadPolicy,
  type ThreadStart,
} from './thread-calls.ts'

/**
 * One of several threads that serve. It decides by what the arena reader says is in force, hands its records to the main
 * thread, which writes them, and its operational log too; everything else of a request stays here, deliveries from member
 * to member included.
 */

/** How often the main thread can see what is open, what went wrong, and that this thread does anything at all. */
const figuresEveryMs = 100

assert(parentPort !== null, 'this file is the start of a thread')
serve(parentPort, workerData as ThreadStart) // It is what `startThread` gives, and nobody else starts this file.

function serve(port: MessagePort, start: ThreadStart): void {
  const { index, threads, memory } = start
  const { figures, waiting, counts } = memory
  const say = (message: FromThread): void => port.postMessage(message)
  const log = createRemoteLog(say, index)
  const faultsBefore = figures[figure.faults] ?? 0
  const faults = createFaults(log)
  keepAlive(faults)

  const bound: Bound[] = []
  const ownListeners = createOwnListeners(bound)
  const reader = createArenaReader<ThreadPolicy, ReturnType<typeof open>>({
    port: start.policies,
    control: start.control,
    open,
  })
  const currentInForce = () => reader.current()?.inForce

  function open(policy: ThreadPolicy) {
    const { pems, resources, slots } = policy
    const settings = shareOut(policy.settings, { bound, threads, index })
    const inForce = openInForce({ ...policy, settings, ownListeners })
    return { inForce, pems, resources: resources[index] ?? new Map(), slots }
  }

  const tally = createTally(counts)
  const denials = createRecentDenials()
  const records = createCrossingLog({
    instance: start.instance,
    boot: start.boot,
    post: (batch) => say({ kind: 'records', batch }),
    waiting,
    maxWaitingBytes: start.audit.maxWaitingBytes,
    isBlocked: () => Atomics.load(start.isBlocked, 0) !== 0,
    onFailure: start.audit.onFailure,
    onProblem: (problem) => log.error(problem),
    onRecord: () => {
      figures[figure.records] = (figures[figure.records] ?? 0) + 1
    },
    now: Date.now,
  })
  const openConnections = createOpenConnections({
    version: () => currentInForce()?.version ?? '',
    onFault: faults.report,
  })
  setTunnelSlots(
    openConnections,
    createSharedTunnelSlots(index, () => reader.current()?.slots ?? new Map()),
  )
  setInterval(() => {
    figures[figure.open] = openConnections.size
    figures[figure.faults] = faultsBefore + faults.count
    figures[figure.beat] = (figures[figure.beat] ?? 0) + 1
  }, figuresEveryMs).unref()

  let serving: Serving | undefined
  let pems: ListenerPems = new Map()

  function followResources(): void {
    const resources = reader.current()?.resources
    if (resources !== undefined) tally.setResources(resources)
  }

  const calls: ThreadCalls = {
    learn(next) {
      bound.splice(0, bound.length, ...next)
    },
    async listen() {
      const current = reader.current()
      assert(current !== undefined, 'a policy is in force before anything listens')
      followResources()
      pems = current.pems
      collectGarbage()
      serving = createServing({
        listeners: current.inForce.settings,
        currentInForce,
        accessLog: createCountingLog(records, { tally, denials }),
        openConnections,
        meter: tally,
        log,
        bound,
        boot: start.boot,
        now: Date.now,
      })
      const opened: Bound[] = []
      const openings = createOpenings(opened)
      await serving.listen(pems, (one) => openings.add(one))
      openings.check()
      bound.push(...opened.filter((one) => !bound.some((known) => isSame(known, one))))
      return opened
    },
    async follow() {
      const current = reader.current()
      if (current === undefined || serving === undefined) return
      followResources()
      const before = pems
      pems = current.pems
      await serving.follow({ version: current.inForce.version, before, after: pems })
    },
    finish: async ({ side, timeoutMs }) => (await serving?.finish(side, timeoutMs)) ?? true,
    denials: (correlationId) => denials.list(correlationId),
    async close() {
      await serving?.close()
      records.flush()
      reader.close()
    },
  }
  port.on('message', (call: ThreadCall) => {
    void answer(calls, call).then(say)
  })
}

function isSame(one: Bound, other: Bound): boolean {
  return one.side === other.side && one.name === other.name
}

async function answer(calls: ThreadCalls, { id, name, argument }: ThreadCall): Promise<FromThread> {
  // The main thread checks the argument against the name when it asks; here only the name is left.
  const call = calls[name] as (argument: unknown) => unknown
  try {
    return { kind: 'answer', id, result: await call(argument) }
  } catch (error) {
    const code = error instanceof PerimeterError ? error.code : undefined
    return {
      kind: 'failed',
      id,
      code,
      message: error instanceof Error ? error.message : String(error),
    }
  }
}

/** The operational log is written by the main thread, too. */
function createRemoteLog(say: (message: FromThread) => void, worker: number): OperationalLog {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (first: unknown, second?: unknown): void => {
      const details =
        typeof first === 'object' && first !== null ? { ...first, worker } : { worker }
      const message = typeof first === 'string' ? first : typeof second === 'string' ? second : ''
      try {
        say({ kind: 'log', level, details, message })
      } catch {
        // What cannot be cloned is still said.
        say({ kind: 'log', level, details: { worker, of: String(first) }, message })
      }
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
