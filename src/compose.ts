import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { ReloadOutcome } from './admin/admin-socket.ts'
import { createMetrics } from './admin/metrics.ts'
import type { Status } from './admin/status.ts'
import { createAccessLog } from './audit/log-writer.ts'
import type { OperationalLog } from './audit/operational-log.ts'
import { type Bound, createOwnListeners } from './compose/bound.ts'
import { drain } from './compose/drain.ts'
import { createFaults, type Faults } from './compose/faults.ts'
import { type Loaded, loadInForce } from './compose/load-in-force.ts'
import { describeLost } from './compose/lost-associations.ts'
import { createOpenings } from './compose/openings.ts'
import { createReloader } from './compose/reloader.ts'
import { openAdmin, openHealth } from './compose/side-doors.ts'
import { createState, statusOf } from './compose/state.ts'
import { sharedWords } from './compose/thread-figures.ts'
import { machineWarnings } from './compose/warnings.ts'
import { PerimeterError } from './errors.ts'
import type { InForce } from './settings/in-force.ts'
import { createWatch } from './store/watch.ts'
import { type ArenaPair, createArenaPair } from './workers/arena-pair.ts'

/**
 * One instance of Ringfence: which part is given what, what starts and stops in which order.
 *
 * The life of a request, and who is asked on its way:
 *
 *   socket ─ transport ─ wire (framing, authority) ─ identity (who calls) ─ policy.evaluate (pure)
 *                                                                              │ allow            │ deny
 *              inbound: the resource's back end                                │                  │
 *              outbound: resolver, then the guard of what is in force ─────────┤ refused ─────────┤
 *                                                                              ▼                  ▼
 *                                       accessLog.accept, one record of the final effect   (the same record)
 *                                                                              ▼                  ▼
 *                                     openConnections.register, then forward    refusal with correlation id
 *
 * What serves is the data plane: on this thread, where a reload replaces the one reference `state.inForce` and nothing
 * else, or on several others, for which one atomic store does the same. Both proxies read what is in force through one
 * function, anew for each decision; what is kept for longer (pools, resolver, certificates, everything open) follows in
 * `follow.ts`.
 *
 * Start: load, access log, outbound, inbound, health, admin, watch. Outbound first: a workload that is reached can
 * reach. Stop: the reverse in meaning. Inbound finishes, then outbound, then the side doors; the access log is last,
 * because everything before it may still write.
 */

export interface StartOptions {
  readonly configFile: string
  readonly log: OperationalLog
  /** Counts and logs what escapes; default one of its own, which hears only of what the parts report. */
  readonly faults?: Faults
  /** Milliseconds since the epoch; default the machine's clock. */
  readonly now?: () => number
}

/** A process that runs. Its owner stops it. */
export interface Running {
  /** Every listener with the address that it got. */
  readonly bound: readonly Bound[]
  readonly inForce: () => InForce
  readonly status: () => Status
  readonly warnings: readonly string[]
  /** Reads everything again. Resolves when nothing is open any more that the new policy forbids. Never rejects. */
  reload(trigger: string): Promise<ReloadOutcome>
  /** For log rotation by name. */
  reopenAccessLog(): Promise<void>
  /** Drains and stops. A second call waits for the first. False: time ran out and something was cut off. */
  stop(): Promise<boolean>
}

/**
 * Starts an instance; resolves when every listener is open. Throws `PerimeterError` with one problem a line where it
 * cannot; nothing is left open then.
 */
export async function startRingfence(options: StartOptions): Promise<Running> {
  const { configFile, log, now = Date.now } = options
  const faults = options.faults ?? createFaults(log)
  const state = createState(now())
  const currentInForce = (): InForce | undefined => state.inForce
  const bound: Bound[] = []
  const ownListeners = createOwnListeners(bound)
  let pair: ArenaPair | undefined
  /** Two gigabytes of address space, which a policy of ordinary size never needs. */
  const arenas = (): ArenaPair => (pair ??= createArenaPair())
  const ending = new AbortController()
  const { signal } = ending
  const request = { configFile, instance: hostname(), ownListeners, arenas, signal }

  await using opened = new AsyncDisposableStack()
  const readSince = now()
  const loaded = await loadInForce({ ...request, running: undefined })
  if (loaded.kind === 'failed') throw new PerimeterError('RF_SETTINGS', loaded.problems.join('\n'))
  const { settings } = loaded.inForce
  state.inForce = loaded.inForce
  state.loadedAt = now()
  let { running } = loaded

  const boot = randomUUID()
  const isBlocked = sharedWords(1)
  const writer = createAccessLog({
    ...settings.audit,
    instance: settings.instance,
    boot,
    onProblem: (problem) => log.error(problem),
    onRecovery: (news) => log.info(news),
    onBlock: (blocks) => Atomics.store(isBlocked, 0, blocks ? 1 : 0),
    now,
  })
  opened.defer(() => writer.close())
  const parts = { first: loaded, arenas, faults, log, bound, boot, now }
  const plane =
    settings.workers === 1
      ? (await import('./compose/local-plane.ts')).createLocalPlane({
          ...parts,
          currentInForce,
          accessLog: writer,
        })
      : (await import('./compose/thread-plane.ts')).createThreadPlane({
          ...parts,
          writer,
          isBlocked,
        })
  const status = (): Status =>
    statusOf(state, {
      faults,
      plane,
      accessLog: () => ({ state: writer.state, accepted: writer.sequence, lost: writer.lost }),
      warnings: () => machineWarnings(settings.workers),
    })
  const openings = createOpenings(bound)
  opened.defer(() => plane.close())
  await openings.add(async () => {
    await plane.listen((one) => openings.add(one))
    return undefined
  })

  const watch = createWatch({
    onChange: () => void reload('file change'),
    onProblem: (error) => log.warn({ err: error }, 'a directory cannot be watched, it is polled'),
  })
  opened.defer(() => watch.close())
  const reloader = createReloader(reloadOnce)
  const sideDoors = { faults, log, status, settings, opened }
  const metrics = createMetrics(() => plane.counts(), status)
  await openings.add(() => openHealth({ ...sideDoors, metrics }))
  await openings.add(() =>
    openAdmin({
      ...sideDoors,
      currentInForce,
      denials: (correlationId) => plane.denials(correlationId),
      reload: () => reload('admin socket'),
    }),
  )
  openings.check()
  await plane.learn(bound)
  let watched = loaded.watchPaths
  await watch.setPaths(watched, readSince)
  state.started = true
  const resources = opened.move()
  let stopping: Promise<boolean> | undefined

  return {
    bound,
    inForce: requireInForce,
    status,
    warnings: loaded.warnings,
    reload,
    reopenAccessLog: () => writer.reopen(),
    stop: () => (stopping ??= stop()),
  }

  function requireInForce(): InForce {
    // It was set before anything listened, and a reload only replaces it.
    assert(state.inForce !== undefined)
    return state.inForce
  }

  function reload(trigger: string): Promise<ReloadOutcome> {
    return reloader.reload(trigger)
  }

  async function reloadOnce(triggers: readonly string[]): Promise<ReloadOutcome> {
    const since = now()
    await watch.mark()
    const next = await loadSafely(watched)
    watched = next.watchPaths
    await watch.setPaths(watched, since)
    if (next.kind === 'failed') return keep(next, triggers)
    try {
      return await swap(next, triggers)
    } catch (error) {
      // A thread cannot take it, and so none has.
      if (!(error instanceof PerimeterError)) faults.report(error)
      const { watchPaths } = next
      return keep(
        {
          kind: 'failed',
          problems: [error instanceof Error ? error.message : String(error)],
          watchPaths,
        },
        triggers,
      )
    }
  }

  /**
   * What is thrown is a reload that failed, too, and unless it says what is wrong, a bug that is reported as such. What was
   * watched until then goes on being watched.
   */
  async function loadSafely(watchPaths: readonly string[]): Promise<Loaded> {
    try {
      return await loadInForce({ ...request, running })
    } catch (error) {
      if (error instanceof PerimeterError) {
        return { kind: 'failed', problems: [error.message], watchPaths }
      }
      faults.report(error)
      const problems = ['internal error: the operational log has it']
      return { kind: 'failed', problems, watchPaths }
    }
  }

  function keep(failed: Extract<Loaded, { kind: 'failed' }>, triggers: readonly string[]) {
    const { problems } = failed
    state.reloadFailures++
    state.lastProblems = problems
    const version = state.inForce?.version
    log.error({ triggers, version, problems }, 'the reload failed: what was in force stays')
    return { kind: 'failed', version, problems } as const
  }

  async function swap(
    next: Extract<Loaded, { kind: 'loaded' }>,
    triggers: readonly string[],
  ): Promise<ReloadOutcome> {
    const { inForce, needsRestart } = next
    const lost = describeLost(state.inForce?.snapshot, inForce.snapshot)
    const warnings = [...next.warnings, ...lost]
    const changed = inForce.version !== state.inForce?.version
    const follow = await plane.swap(next, () => {
      state.inForce = inForce
      state.loadedAt = now()
      state.reloads++
      state.lastProblems = []
      state.needsRestart = needsRestart
      running = next.running
    })
    const { version } = inForce
    log[warnings.length > 0 ? 'warn' : 'info']({ triggers, version, changed, warnings }, 'reloaded')
    for (const line of lost) log.warn({ version }, line)
    if (needsRestart.length > 0) log.warn({ needsRestart }, 'some settings need a restart')
    try {
      await follow()
    } catch (error) {
      faults.report(error)
    }
    return { kind: 'reloaded', version, changed, needsRestart, warnings }
  }

  async function stop(): Promise<boolean> {
    state.draining = true
    const timeoutMs = requireInForce().settings.timeouts.drainMs
    const finished = await drain(plane, timeoutMs)
    // Until here a rule may still be withdrawn and ends what is left of it.
    watch.close()
    ending.abort()
    await reloader.settled()
    await resources.disposeAsync()
    return finished
  }
}
