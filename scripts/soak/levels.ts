import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MiB } from '../../src/units.ts'
import { readTree } from '../bench/process-tree.ts'
import { measureFile, type Resources } from './resources-file.ts'
import type { World } from './world.ts'

/** What a process holds: descriptors, memory, timers. */

export interface Levels {
  readonly descriptors: number
  /** Those that keep it alive. */
  readonly timers: number
  readonly residentMiB: number
}

export function readLevels({ folder, ringfence }: Pick<World, 'folder' | 'ringfence'>): Levels {
  return {
    descriptors: readdirSync(`/proc/${ringfence.pid}/fd`).length,
    timers: sum(readResources(folder).map(({ timers }) => timers)),
    residentMiB: readTree(ringfence.pid).residentBytes / MiB,
  }
}

/** Of each thread. */
function readResources(folder: string): readonly Resources[] {
  return readdirSync(folder)
    .filter((name) => /^resources-\d+$/.test(name))
    .map((name) => JSON.parse(readFileSync(path.join(folder, name), 'utf8')))
}

/** Descriptors that may be open although nothing goes on: a watcher, a kept file. */
const slack = 4
const settleTimeoutMs = 90_000

/** Waits until descriptors and timers are where they were before the load; says what is not. */
export async function untilSettled(world: World, before: Levels): Promise<readonly string[]> {
  const until = performance.now() + settleTimeoutMs
  for (;;) {
    const now = readLevels(world)
    const findings = [
      ...tooMany('descriptors', before.descriptors, now.descriptors),
      ...tooMany('timers', before.timers, now.timers),
    ]
    if (findings.length === 0 || performance.now() > until) return findings
    await delay(250)
  }
}

function tooMany(what: string, before: number, now: number): readonly string[] {
  return now > before + slack ? [`${what}: ${before} before the load, ${now} after it`] : []
}

/** What stays when nothing is open and the garbage is collected. */
export interface Rest {
  /** Also those that keep nothing alive. */
  readonly timers: number
  readonly bytes: number
}

const measureTimeoutMs = 30_000
let measurements = 0

export async function measureRest({ folder, threads }: World): Promise<Rest> {
  const number = ++measurements
  writeFileSync(path.join(folder, measureFile), `${number}`)
  const until = performance.now() + measureTimeoutMs
  for (;;) {
    const held = readResources(folder).flatMap((one) =>
      one.held.number === number ? [one.held] : [],
    )
    if (held.length >= threads) {
      return {
        timers: sum(held.map(({ timers }) => timers)),
        bytes: sum(held.map(({ bytes }) => bytes)),
      }
    }
    if (performance.now() > until) {
      throw new Error(`${held.length} of ${threads} threads have said what they hold`)
    }
    await delay(100)
  }
}

/** What pools and caches may still fill up with. */
const restSlack = { timers: 24, bytes: MiB }
/** What one exchange may leave: half of the smallest record or socket. */
const bytesAnExchange = 128

/** @param exchanges how many there were between the two. */
export function judgeRest(before: Rest, after: Rest, exchanges: number): readonly string[] {
  const timers = after.timers - before.timers
  const bytes = after.bytes - before.bytes
  return [
    ...(timers > restSlack.timers
      ? [`timers: ${before.timers} at rest, ${after.timers} after the load`]
      : []),
    ...(bytes > restSlack.bytes + bytesAnExchange * exchanges
      ? [
          `memory: ${inMiB(before.bytes)} at rest, ${inMiB(after.bytes)} after ${exchanges} exchanges`,
        ]
      : []),
  ]
}

function inMiB(bytes: number): string {
  return `${(bytes / MiB).toFixed(1)} MiB`
}

const longRunMs = 180_000
/** Of a long run: what is held after a minute is what it holds. */
const longGrowth = 1.2
/** Of a short one, in which code is still compiled and the heap finds its size. */
const shortGrowth = 1.6

/** @param samples resident memory at even intervals under load. */
export function judgeMemory(samples: readonly number[], durationMs: number): readonly string[] {
  const isLong = durationMs >= longRunMs
  const early = isLong ? 60_000 / durationMs : 1 / 3
  const at = Math.floor(samples.length * early)
  const window = Math.max(1, Math.floor(samples.length / 10))
  const reference = mean(samples.slice(at, at + window))
  const end = mean(samples.slice(-window))
  const limit = isLong ? longGrowth : shortGrowth
  if (!(end > reference * limit)) return []
  return [`memory: ${reference.toFixed(0)} MiB early, ${end.toFixed(0)} MiB at the end of the load`]
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length
}
