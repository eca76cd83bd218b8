import module from 'node:module'
import { createOperationalLog } from '../../audit/operational-log.ts'
import { startRingfence, type Running } from '../../compose.ts'
import { createFaults, keepAlive } from '../../compose/faults.ts'
import { exitCodes } from '../exit-code.ts'
import type { Write } from '../output.ts'
import { describeStart } from '../start-lines.ts'

export interface RunOptions {
  readonly config: string
  /** The start lines go here, and so does the operational log: standard output belongs to the access log alone. */
  readonly err: Write
}

const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const

/** After everything is closed nothing should keep the process; if something does, it is not waited for longer. */
const exitGraceMs = 500

/**
 * `ringfence run`: starts, prints what listens where, and resolves with the exit code after a signal has stopped it.
 * Throws what `startRingfence` throws.
 */
export async function runRun({ config, err }: RunOptions): Promise<number> {
  const log = createOperationalLog({ level: logLevel() })
  const faults = createFaults(log)
  keepAlive(faults)
  const running = await startRingfence({ configFile: config, log, faults })
  const stopped = untilSignal(running, err)
  const lines = describeStart({
    bound: running.bound,
    inForce: running.inForce(),
    warnings: running.warnings,
    durationMs: performance.now(),
  })
  err(`${lines.join('\n')}\n`)
  // A process that is killed would not write it, and its successor would start slowly again.
  module.flushCompileCache()
  await stopped
  setTimeout(() => process.exit(exitCodes.good), exitGraceMs).unref()
  return exitCodes.good
}

/** `RINGFENCE_LOG_LEVEL`; what it does not know is `info`. */
function logLevel(): (typeof logLevels)[number] {
  return logLevels.find((level) => level === process.env['RINGFENCE_LOG_LEVEL']) ?? 'info'
}

/** Resolves when the first SIGTERM or SIGINT has been obeyed. The second does not wait for anything. */
function untilSignal(running: Running, err: Write): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let stopping = false
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(exitCodes.problems)
    stopping = true
    err(`${signal}: finishing what has begun, once more ends it at once\n`)
    void running.stop().then((finished) => {
      err(finished ? 'stopped\n' : 'stopped, what did not finish in time was cut off\n')
      resolve()
    })
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('SIGHUP', () => {
    void running.reopenAccessLog()
    void running.reload('SIGHUP')
  })
  return promise
}
