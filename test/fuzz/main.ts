import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { type Find, fuzz, startChecks } from './run.ts'

/**
 * `npm run fuzz -- [--seconds N] [--seed N]`: bytes that are almost right, read by us and by somebody else: HTTP through the
 * relay, the library lane and Node's own parser, ClientHellos by OpenSSL, tokens, authorities by a URL parser, PROXY headers
 * whole and in parts, perimeter documents. What they disagree on is printed as a case for `test/fuzz/cases/`; the exit code is 1.
 */

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '10' }, seed: { type: 'string' } },
})
const seconds = Number(values.seconds)
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed)
if (!(seconds > 0) || !Number.isInteger(seed)) throw new Error('--seconds N, --seed N')

const ends: (() => Promise<void>)[] = []
const checks = await startChecks({ teardown: (end) => ends.push(end) })
const { tried, finds, unconfirmed, doubts, whole } = await fuzz(checks, { seed, seconds })
const print = ({ problem, ...found }: Find): void =>
  void process.stdout.write(`${JSON.stringify(found)}\n  ${problem}\n`)
finds.forEach(print)
if (unconfirmed.length > 0) process.stdout.write('seen once, and not again:\n')
unconfirmed.forEach(print)
for (const doubt of doubts) process.stdout.write(`${doubt}\n`)
const passed = Object.entries(whole).map(([kind, count]) => `${count} ${kind}s`)
process.stdout.write(`understood and passed on: ${passed.join(', ')}\n`)
process.stdout.write(
  `seed ${seed}: ${tried} tried, ${finds.length} found, ${unconfirmed.length} not confirmed\n`,
)
for (const end of ends) await end()
process.exitCode = finds.length + doubts.length === 0 ? 0 : 1
