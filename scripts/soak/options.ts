import { parseArgs } from 'node:util'

export interface SoakOptions {
  readonly minutes: number
  /** Of the choices of what to do next; the same seed begins the same way. */
  readonly seed: number
  /** `workers` of the settings. */
  readonly workers: number
  /** What is to be leaked on purpose. */
  readonly plant: readonly string[]
}

/** A mistake on the command line, as one sentence for whoever typed it. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export const usage = `usage: npm run soak -- [options]

Runs Ringfence under mixed load (requests, uploads, TLS, upgrades, tunnels, refusals), with clients that give up in every
phase, back ends that restart and policies that are reloaded, good and broken ones. Then it looks whether descriptors,
timers and memory are where they were, once warm, whether the access log is complete, and whether anything failed that should not.
Exits 1 with a list of findings.

  --minutes N   how long; default 1
  --seed N      of the choices; default a new one, which is printed
  --workers N   serve on so many threads; default 1
  --plant KIND  leak memory or timers on purpose, a little for each connection: it must be found
  --help        this text

example: npm run soak -- --minutes 10
`

/** Reads the arguments; undefined if only the usage is asked for. */
export function parseOptions(args: readonly string[]): SoakOptions | undefined {
  const { minutes = '1', seed = String(Date.now() % 2 ** 31), help, ...rest } = read(args)
  const { workers = '1', plant = [] } = rest
  if (help === true) return undefined
  const options = {
    minutes: Number(minutes),
    seed: Number(seed),
    workers: Number(workers),
    plant,
  }
  if (!(options.minutes > 0 && options.minutes <= 24 * 60)) {
    throw new UsageError(`--minutes: \`${minutes}\` is not a number from above 0 to 1440`)
  }
  if (!Number.isInteger(options.seed) || options.seed < 0) {
    throw new UsageError(`--seed: \`${seed}\` is not a whole number`)
  }
  if (!Number.isInteger(options.workers) || options.workers < 1) {
    throw new UsageError(`--workers: \`${workers}\` is not a whole number from 1`)
  }
  for (const kind of plant) {
    if (kind === 'memory' || kind === 'timers') continue
    throw new UsageError(`--plant: \`${kind}\` is neither memory nor timers`)
  }
  return options
}

interface RawValues {
  readonly minutes?: string | undefined
  readonly seed?: string | undefined
  readonly workers?: string | undefined
  readonly plant?: string[] | undefined
  readonly help?: boolean | undefined
}

function read(args: readonly string[]): RawValues {
  try {
    return parseArgs({
      args: [...args],
      options: {
        minutes: { type: 'string' },
        seed: { type: 'string' },
        workers: { type: 'string' },
        plant: { type: 'string', multiple: true },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}
