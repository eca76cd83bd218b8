import module from 'node:module'
import { createOperationalLog } from '../../audit/operational-log.ts'
import { type Running, startRingfence } from '../../compose.ts'
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

/**
 * `ringfence run`: starts, prints what listens where, and ends the process after a signal has stopped it.
 * Throws what `startRingfence` throws.
 */
export async function runRun({ config, err }: RunOptions): Promise<number> {
  const log = createOperationalLog({ level: logLevel() })
  const faults = createFaults(log)
  keepAlive(faults)
  // Before the start: as the first process of a container, it would not even be told of a signal without a handler, and
  // as any other it would end by it.
  const hangUps = followHangUps()
  const told = firstStopSignal()
  const running = await startRingfence({ configFile: config, log, faults })
  hangUps.tell(running)
  const lines = describeStart({
    bound: running.bound,
    inForce: running.inForce(),
    warnings: running.warnings,
    durationMs: performance.now(),
  })
  err(`${lines.join('\n')}\n`)
  // A process that is killed would not write it, and its successor would start slowly again.
  module.flushCompileCache()
  err(`${await told}: finishing what has begun, once more ends it at once\n`)
  const finished = await running.stop()
  err(finished ? 'stopped\n' : 'stopped, what did not finish in time was cut off\n')
  // Not left to Node, which waits for every handle that anybody has forgotten, and may wait for ever.
  process.exit(exitCodes.good)
}

/** SIGHUP reloads and opens the access log again. One that comes during the start is made good once it is complete. */
function followHangUps(): { tell(started: Running): void } {
  let running: Running | undefined
  let missed = false
  function follow(): void {
    missed = running === undefined
    void running?.reopenAccessLog()
    void running?.reload('SIGHUP')
  }
  process.on('SIGHUP', follow)
  return {
    tell(started) {
      running = started
      if (missed) follow()
    },
  }
}

/** `RINGFENCE_LOG_LEVEL`; what it does not know is `info`. */
function logLevel(): (typeof logLevels)[number] {
  return logLevels.find((level) => level === process.env['RINGFENCE_LOG_LEVEL']) ?? 'info'
}

/** Resolves with the first SIGTERM or SIGINT. The second does not wait for anything. */
function firstStopSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  let told = false
  const stop = (signal: NodeJS.Signals): void => {
    if (told) process.exit(exitCodes.problems)
    told = true
    resolve(signal)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  return promise
}
