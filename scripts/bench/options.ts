import { parseArgs } from 'node:util'

/** What the command line asks for. */
export interface BenchOptions {
  /** Names of scenarios; undefined: all. */
  readonly only: readonly string[] | undefined
  /** Names of peers; undefined: all. */
  readonly peers: readonly string[] | undefined
  /** Of load in each run. */
  readonly seconds: number
  /** How often each candidate is measured; the median counts. */
  readonly rounds: number
  /** Short and small: shows that everything works, and judges nothing. */
  readonly smoke: boolean
  /** Run `src/main.ts` instead of a fresh `dist/`. */
  readonly source: boolean
  /** Folder that gets `latest.json` and `latest.svg`; undefined: only the table is printed. */
  readonly out: string | undefined
}

/** A mistake on the command line, as one sentence for whoever typed it. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const defaults = { seconds: 4, rounds: 5 } as const
/** Just enough for clock ticks of 10 ms to say something. */
const smokeDefaults = { seconds: 0.3, rounds: 1 } as const

export const usage = `usage: npm run bench -- [options]

Measures Ringfence beside nginx, haproxy and other proxies: CPU of the whole process tree per request or per GB, with an
access log and a source and name rule in all of them. The proxy has one core, the load and the back end another.

  --only NAMES      scenarios, separated by commas; default all
  --peers NAMES     proxies to compare with, separated by commas; default all that are installed
  --seconds N       of load in each run; default ${defaults.seconds}
  --rounds N        runs of each proxy, in turns; the median counts; default ${defaults.rounds}
  --out FOLDER      also write latest.json and latest.svg there; what was not measured now stays in them
  --source          run src/main.ts instead of building and running dist/
  --smoke           everything once, for moments: whether it works, not how fast it is
  --help            this text

example: npm run bench -- --only reverse --peers nginx,haproxy --rounds 3
`

/** Reads the arguments; undefined if only the usage is asked for. */
export function parseOptions(
  args: readonly string[],
  known: { readonly scenarios: readonly string[]; readonly peers: readonly string[] },
): BenchOptions | undefined {
  const values = read(args)
  if (values.help === true) return undefined
  const smoke = values.smoke === true
  const standard = smoke ? smokeDefaults : defaults
  return {
    only: names(values.only, { option: '--only', known: known.scenarios }),
    peers: names(values.peers, { option: '--peers', known: known.peers }),
    seconds: number(values.seconds, '--seconds') ?? standard.seconds,
    rounds: Math.ceil(number(values.rounds, '--rounds') ?? standard.rounds),
    smoke,
    source: values.source === true,
    out: values.out,
  }
}

interface RawValues {
  readonly only?: string | undefined
  readonly peers?: string | undefined
  readonly seconds?: string | undefined
  readonly rounds?: string | undefined
  readonly out?: string | undefined
  readonly source?: boolean | undefined
  readonly smoke?: boolean | undefined
  readonly help?: boolean | undefined
}

function read(args: readonly string[]): RawValues {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: 'string' },
        peers: { type: 'string' },
        seconds: { type: 'string' },
        rounds: { type: 'string' },
        out: { type: 'string' },
        source: { type: 'boolean' },
        smoke: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function names(
  text: string | undefined,
  { option, known }: { readonly option: string; readonly known: readonly string[] },
): readonly string[] | undefined {
  if (text === undefined) return undefined
  const asked = text.split(',').filter((name) => name !== '')
  const stranger = asked.find((name) => !known.includes(name))
  if (stranger !== undefined) {
    throw new UsageError(`${option}: there is no \`${stranger}\`; there are ${known.join(', ')}`)
  }
  return asked
}

function number(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!(value > 0 && value <= 3600)) {
    throw new UsageError(`${option}: \`${text}\` is not a number from above 0 to 3600`)
  }
  return value
}
