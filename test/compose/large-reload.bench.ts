import { parseArgs } from 'node:util'
import { MiB, seconds } from '../../src/units.ts'
import { reloadUnderLoad } from './reload-under-load.ts'

/**
 * `npm run bench:reload -- --size 1000000 --reloads 5`: reloads of so many prefixes and as many names under load in both
 * directions. Prints each, then the bars, and exits 1 where one is missed. What it takes another thread to give memory
 * back is watched too, unless `--settle` (milliseconds) is less than the eight seconds after which the engine does.
 */

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1000000' },
    reloads: { type: 'string', default: '5' },
    settle: { type: 'string', default: String(seconds(9)) },
  },
})
const plan = {
  size: Number(values.size),
  reloads: Number(values.reloads),
  settleMs: Number(values.settle),
}
const mostStallMs = 10
/** The kernel counts the time of a thread that runs in ticks of so many milliseconds. */
const tickMs = 4
/** Between the middle and the end. */
const mostGrowth = 1.1

const teardowns: (() => unknown)[] = []
const test = { teardown: (clean: () => unknown) => teardowns.push(clean) }
const { calm, reports, answers } = await reloadUnderLoad(test, plan, (report) => {
  const { kind, durationMs, stallMs, ownStallMs, workMs, residentBytes } = report
  console.log(
    `${kind} in ${(durationMs / 1000).toFixed(1)} s; longest turn of the event loop ${stallMs.toFixed(1)} ms, ` +
      `${ownStallMs.toFixed(1)} without the time that others had the core, ${workMs.toFixed(1)} of its own work; ` +
      `${(residentBytes / MiB).toFixed(0)} MiB resident`,
  )
})
for (const teardown of teardowns) await teardown()

let missed = 0
const failed = [...answers].filter(([answer]) => answer !== '200')
bar(failed.length === 0, `${answers.get('200')} requests, failed: ${JSON.stringify(failed)}`)
const work = Math.max(...reports.map(({ workMs }) => workMs))
bar(work <= mostStallMs + tickMs, `at most ${work.toFixed(1)} ms of work at a time`)
const own = Math.max(...reports.map(({ ownStallMs }) => ownStallMs))
const mostOwn = Math.max(mostStallMs, calm.ownStallMs)
bar(
  own <= mostOwn,
  `at most ${own.toFixed(1)} ms without a turn, ${calm.ownStallMs.toFixed(1)} without a reload (only a quiet machine can tell)`,
)
const middle = residentAt(Math.floor(reports.length / 2))
const growth = residentAt(reports.length - 1) / middle
bar(
  growth <= mostGrowth,
  `${(middle / MiB).toFixed(0)} MiB resident in the middle, × ${growth.toFixed(2)} at the end`,
)
process.exitCode = missed === 0 ? 0 : 1

/** The median of it and the two before: a load in the making takes some for a while. */
function residentAt(index: number): number {
  const near = reports.slice(Math.max(0, index - 2), index + 1).map((one) => one.residentBytes)
  return near.toSorted((a, b) => a - b)[near.length >> 1] ?? 0
}

function bar(isHeld: boolean, text: string): void {
  if (!isHeld) missed++
  console.log(`${isHeld ? 'pass' : 'FAIL'}  ${text}`)
}
