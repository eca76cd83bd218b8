import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MiB } from '../../src/units.ts'
import { readTree } from '../bench/process-tree.ts'
import type { World } from './world.ts'

/** What a process holds: descriptors, memory, timers. */

export interface Levels {
  readonly descriptors: number
  readonly timers: number
  readonly residentMiB: number
}

export function readLevels({ folder, ringfence }: World): Levels {
  const resources: Readonly<Record<string, number>> = JSON.parse(
    readFileSync(path.join(folder, 'resources'), 'utf8'),
  )
  return {
    descriptors: readdirSync(`/proc/${ringfence.pid}/fd`).length,
    timers: (resources['Timeout'] ?? 0) + (resources['Immediate'] ?? 0),
    residentMiB: readTree(ringfence.pid).residentBytes / MiB,
  }
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

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
