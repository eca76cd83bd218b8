import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Children } from '../bench/children.ts'
import { MiB } from '../../src/units.ts'
import { askAdmin } from './admin.ts'
import { runClients } from './clients.ts'
import { disturb } from './disturb.ts'
import { judgeMemory, judgeRest, measureRest, readLevels, untilSettled } from './levels.ts'
import { checkLog } from './log-check.ts'
import { parseOptions, type SoakOptions, usage, UsageError } from './options.ts'
import { createRandom } from './random.ts'
import { createTally, noteFinding, type Tally } from './tally.ts'
import { createWorld, type World } from './world.ts'

/** `npm run soak`: the whole program under everything at once, for as long as one likes. */

const interruptedExit = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
const progressEveryMs = 10_000
const sampleEveryMs = 1_000
/** The probe inside the process has spoken by then. */
const startedMs = 1_500
const msPerMinute = 60_000

/** Resolves with the exit code: 1 if there is a finding. */
async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args)
  if (options === undefined) {
    print(usage.trimEnd())
    return 0
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'ringfence-soak-'))
  const children = new Children()
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  for (const [signal, code] of Object.entries(interruptedExit)) {
    process.once(signal, () => process.exit(code))
  }
  try {
    print(`soak: ${options.minutes} min, seed ${options.seed}`)
    const tally = createTally()
    await soak(await createWorld(children, { ...options, folder }), options, tally)
    return report(tally)
  } finally {
    await children.close()
  }
}

/**
 * Part of the load comes first, and is over before what is held is measured: by then code is compiled and pools have been
 * used. What the rest of the load leaves on top of that is a leak.
 */
const warmShare = 1 / 3

async function soak(world: World, options: SoakOptions, tally: Tally): Promise<void> {
  const { minutes, seed } = options
  const durationMs = minutes * msPerMinute
  const random = createRandom(seed)
  await delay(startedMs)
  const levels = readLevels(world)
  await load(world, { tally, random, durationMs: durationMs * warmShare })
  for (const finding of await untilSettled(world, levels)) noteFinding(tally, finding)
  const before = await measureRest(world)
  const warm = countOf(tally)
  const restMs = durationMs * (1 - warmShare)
  const samples = await load(world, { tally, random, durationMs: restMs })
  print('the load is over; waiting for what is open to be closed')
  for (const finding of await untilSettled(world, levels)) noteFinding(tally, finding)
  const after = await measureRest(world)
  const exchanges = countOf(tally) - warm
  for (const finding of judgeRest(before, after, exchanges)) noteFinding(tally, finding)
  const grown = ((after.bytes - before.bytes) / MiB).toFixed(2)
  print(
    `held: ${grown} MiB and ${after.timers - before.timers} timers more than before ${exchanges} exchanges`,
  )
  for (const finding of judgeMemory(samples, restMs)) noteFinding(tally, finding)
  const accepted = await checkStatus(world, tally)
  await checkEnd(world, tally)
  const log = path.join(world.folder, 'access.log')
  const { lines, findings } = await checkLog(log, tally.correlationIds)
  for (const finding of findings) noteFinding(tally, finding)
  if (lines !== accepted) {
    noteFinding(tally, `${accepted} records were accepted, ${lines} are in the access log`)
  }
  print(`${lines} lines in the access log, ${tally.correlationIds.size} answers looked up in it`)
}

/** Resolves with what was resident meanwhile, MiB at even intervals, when everything begun has ended. */
async function load(
  world: World,
  options: {
    readonly tally: Tally
    readonly random: () => number
    readonly durationMs: number
  },
): Promise<readonly number[]> {
  const { tally, random, durationMs } = options
  const stop = AbortSignal.timeout(Math.round(durationMs))
  const disturbances = disturb(world, tally, stop)
  const samples: number[] = []
  const watched = watch(world, { tally, samples, durationMs, stop })
  await runClients({ world, tally, random, disturbances, stop })
  await Promise.all([disturbances.over, watched])
  return samples
}

async function watch(
  world: World,
  options: {
    readonly tally: Tally
    readonly samples: number[]
    readonly durationMs: number
    readonly stop: AbortSignal
  },
): Promise<void> {
  const { tally, samples, durationMs, stop } = options
  const start = performance.now()
  let next = progressEveryMs
  while (!stop.aborted) {
    await delay(sampleEveryMs, undefined, { signal: stop }).catch(() => undefined)
    const levels = readLevels(world)
    samples.push(levels.residentMiB)
    const elapsed = performance.now() - start
    if (elapsed < next) continue
    next += progressEveryMs
    const time = `${(elapsed / 1000).toFixed(0)} of ${(durationMs / 1000).toFixed(0)} s`
    const held = `${levels.residentMiB.toFixed(0)} MiB, ${levels.descriptors} descriptors, ${levels.timers} timers`
    print(`  ${time}: ${countOf(tally)} exchanges, ${held}, ${tally.findings.size} findings`)
  }
}

/** What the instance says of itself; resolves with how many records it has accepted. */
async function checkStatus({ folder }: World, tally: Tally): Promise<number | undefined> {
  const { answer } = await askAdmin(folder, { method: 'GET', path: '/status' })
  const { open, faults, accessLog, workers } = answer
  if (open !== 0) noteFinding(tally, `${open} things are still open`)
  if (faults !== 0) noteFinding(tally, `${faults} faults that nobody handled`)
  if (accessLog?.lost !== 0) noteFinding(tally, `${accessLog?.lost} records were lost`)
  if (workers?.replaced !== 0) noteFinding(tally, `${workers?.replaced} workers have ended`)
  return accessLog?.accepted
}

/** With nothing in flight, a SIGTERM ends it at once and well. */
async function checkEnd({ ringfence }: World, tally: Tally): Promise<void> {
  process.kill(ringfence.pid, 'SIGTERM')
  const code = await Promise.race([ringfence.exited, delay(progressEveryMs, 'never')])
  if (code !== 0) noteFinding(tally, `on SIGTERM it ended with ${code}`)
}

function report(tally: Tally): number {
  const { done, findings, restarts, reloads, refusedReloads, explained } = tally
  for (const kind of [...done.keys()].toSorted()) {
    print(`  ${String(done.get(kind)).padStart(7)}  ${kind}`)
  }
  print(`${restarts} restarts of a back end, ${explained} requests met one`)
  print(`${reloads} policies put in force, ${refusedReloads} broken ones refused`)
  for (const [finding, count] of findings) print(`FINDING (${count} ×) ${finding}`)
  print(`${countOf(tally)} exchanges, ${findings.size} findings`)
  return findings.size === 0 ? 0 : 1
}

function countOf({ done }: Tally): number {
  return [...done.values()].reduce((sum, count) => sum + count, 0)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const isUsage = error instanceof UsageError
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`soak: ${message}${isUsage ? '; --help shows the usage' : ''}\n`)
  process.exitCode = isUsage ? 2 : 1
}
