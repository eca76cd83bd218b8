import { renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { MiB } from '../../../src/units.ts'
import { reload } from '../admin.ts'
import { startBackEnd } from '../back-end.ts'
import { type Bench, newFolder, type Scenario } from '../bench.ts'
import { freePort } from '../free-port.ts'
import { backendHost, type Place } from '../candidates/candidate.ts'
import { adminSocket } from '../candidates/ringfence.ts'
import type { Service } from '../children.ts'
import type { Figure } from '../figure.ts'
import { largePolicy } from '../large-policy.ts'
import type { ConstantRateOrder } from '../load/constant-rate.ts'
import type { LoadResult } from '../load-result.ts'
import { readTree } from '../process-tree.ts'
import { stallsSince } from '../stalls.ts'
import { requestOf } from './requests.ts'
import { runLoad } from './run-load.ts'

/** A policy of a million names and a million prefixes is exchanged for another while requests go on. */

const size = 1_000_000
const smokeSize = 1_000
/** Enough that a stall of 10 ms meets several requests, and little beside the work of a reload. */
const rate = 500
const connections = 16
const loadSeconds = 40
const smokeLoadSeconds = 1
const niceness = 19
const probe = new URL('../probes/stalls.ts', import.meta.url).pathname
const scenario = 'swap'

export const policySwap: Scenario = {
  name: scenario,
  title: `swap of ${size} names and ${size} prefixes under load: longest stall of the serving thread (CPU)`,
  async run(bench) {
    const { smoke } = bench.options
    const backEnd = await startBackEnd(bench)
    const large = await startLarge(bench, {
      target: backEnd.port,
      entries: smoke ? smokeSize : size,
      workers: 1,
    })
    const order: ConstantRateOrder = {
      port: large.place.port,
      head: requestOf(bench.subject, { purpose: 'reverse', target: backEnd.port }),
      connections,
      rate,
      seconds: smoke ? smokeLoadSeconds : loadSeconds,
    }
    const begun = Date.now()
    const loaded = runLoad<LoadResult>(bench, { program: 'constant-rate', order, niceness })
    const swaps = await swapDuring(bench, large, loaded)
    const { units, seconds, ...latencies } = await loaded
    const stall = Math.max(0, ...stallsSince(large.place.folder, begun))
    const figure: Figure = {
      scenario,
      candidate: bench.subject.name,
      cost: stall,
      unit: 'ms',
      perSecond: units / seconds,
      ...latencies,
      residentMiB: readTree(large.service.pid).residentBytes / MiB,
      spread: 0,
      runs: swaps,
      disturbed: 0,
    }
    return [figure]
  },
}

const idleSwaps = 100
/** Buffers that are used again have their size by then. */
const firstSwaps = 10
const smokeSwaps = 3

export const manySwaps: Scenario = {
  name: 'swaps',
  title: `${idleSwaps} swaps of that policy without load, with two workers: resident memory, against what it was after ${firstSwaps}`,
  isSlow: true,
  async run(bench) {
    const { smoke } = bench.options
    const entries = smoke ? smokeSize : size
    const total = smoke ? smokeSwaps : idleSwaps
    const large = await startLarge(bench, { target: await freePort(), entries, workers: 2 })
    const resident: number[] = []
    for (let swaps = 1; swaps <= total; swaps++) {
      await large.swap()
      resident.push(readTree(large.service.pid).residentBytes / MiB)
      bench.progress(`swaps ${swaps}/${total}: ${resident.at(-1)?.toFixed(0)} MiB`)
    }
    const first = Math.max(...resident.slice(0, smoke ? 1 : firstSwaps))
    const residentMiB = resident.at(-1) ?? NaN
    const figure: Figure = {
      scenario: 'swaps',
      candidate: bench.subject.name,
      cost: (100 * residentMiB) / first,
      unit: '% of before',
      residentMiB,
      spread: 0,
      runs: total,
      disturbed: 0,
    }
    return [figure]
  },
}

interface Large {
  readonly place: Place
  readonly service: Service
  /** Puts another policy of the same size in force; resolves when it is. */
  swap(): Promise<void>
}

async function startLarge(
  bench: Bench,
  setup: { readonly target: number; readonly entries: number; readonly workers: number },
): Promise<Large> {
  const { target, entries, workers } = setup
  const { certificate, children, cores, subject } = bench
  const place: Place = {
    purpose: 'reverse',
    folder: newFolder(bench, subject.name),
    // Compiling may use what is free beside serving, as it would in earnest.
    core: cores.all,
    port: await freePort(),
    target,
    certificate,
    children,
  }
  const { perimeters, resources } = largePolicy(entries, 0)
  const fronted = { id: 'orders', hosts: [backendHost], backend: `http://127.0.0.1:${target}` }
  const settings = { workers, resources: [fronted, ...resources] }
  const nodeArgs = ['--import', probe]
  const service = await subject.startWith(place, { settings, perimeters, nodeArgs })
  let edition = 0
  const swap = async (): Promise<void> => {
    edition++
    const changed = JSON.stringify(largePolicy(entries, edition).perimeters['p0.json'])
    // Whole or not at all: a file half written is a broken policy.
    const file = path.join(place.folder, 'p0.json')
    writeFileSync(`${file}.new`, changed)
    renameSync(`${file}.new`, file)
    await reload(path.join(place.folder, adminSocket))
  }
  return { place, service, swap }
}

/** Swaps again and again until the load has ended; says how often. */
async function swapDuring(bench: Bench, large: Large, load: Promise<unknown>): Promise<number> {
  let over = false
  const end = (): void => void (over = true)
  load.then(end, end)
  let swaps = 0
  while (!over) {
    const start = performance.now()
    await large.swap()
    swaps++
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    bench.progress(`swap ${swaps}: in force after ${seconds} s`)
  }
  return swaps
}
