import { mkdirSync } from 'node:fs'
import path from 'node:path'
import type { Candidate, Place, Purpose } from './candidates/candidate.ts'
import type { RingfenceCandidate } from './candidates/ringfence.ts'
import type { Certificate } from './certificate.ts'
import type { Children, Service } from './children.ts'
import type { Cores } from './cores.ts'
import type { Figure } from './figure.ts'
import { freePort } from './free-port.ts'
import type { BenchOptions } from './options.ts'

/** What every scenario works with. */
export interface Bench {
  readonly options: BenchOptions
  readonly cores: Cores
  /** Scratch, removed at the end. */
  readonly folder: string
  readonly children: Children
  readonly certificate: Certificate
  /** Those that are installed and asked for; Ringfence is the last. */
  readonly candidates: readonly Candidate[]
  /** Ringfence, for what only it is asked. */
  readonly subject: RingfenceCandidate
  /** One line for whoever waits. */
  progress(line: string): void
}

export interface Scenario {
  readonly name: string
  /** What is done, in a line above its table. */
  readonly title: string
  /** Takes minutes, and is only run if it is named. */
  readonly isSlow?: boolean
  /** No figure at all where the product has not what is measured; it says so then. What it starts is ended for it. */
  run(bench: Bench): Promise<readonly Figure[]>
}

export interface StartedCandidate extends Service {
  readonly candidate: Candidate
  readonly port: number
}

/** Starts each of these candidates that can do it, in front of the target. */
export async function startCandidates(
  bench: Bench,
  setup: {
    readonly purpose: Purpose
    readonly target: number
    readonly names?: readonly string[]
    readonly core?: Place['core']
  },
): Promise<readonly StartedCandidate[]> {
  const { purpose, target, names, core = bench.cores.proxy } = setup
  const { certificate, children } = bench
  const able = bench.candidates.filter(
    ({ name, purposes }) => purposes.has(purpose) && names?.includes(name) !== false,
  )
  return Promise.all(
    able.map(async (candidate) => {
      const port = await freePort()
      const folder = newFolder(bench, candidate.name)
      const place = { purpose, folder, core, port, target, certificate, children }
      return { candidate, port, ...(await candidate.start(place)) }
    }),
  )
}

let folders = 0

/** A folder for one process. Whoever a program makes itself after its start may write there. */
export function newFolder({ folder }: Bench, name: string): string {
  const made = path.join(folder, `${folders++}-${name}`)
  mkdirSync(made)
  return made
}
