import t from 'tap'
import { parseOptions } from '../../../scripts/soak/options.ts'

void t.test('parseOptions: a minute, unless told otherwise', async (t) => {
  t.match(parseOptions([]), { minutes: 1, seed: Number, workers: 1, plant: [] })
  const args = '--minutes 0.5 --seed 7 --workers 2 --plant memory --plant timers'
  t.strictSame(parseOptions(args.split(' ')), {
    minutes: 0.5,
    seed: 7,
    workers: 2,
    plant: ['memory', 'timers'],
  })
  t.equal(parseOptions(['--help']), undefined)
})

void t.test('parseOptions: a mistake is told in a sentence', async (t) => {
  const cases: readonly (readonly [args: string, message: string | RegExp])[] = [
    ['--minutes 0', '--minutes: `0` is not a number from above 0 to 1440'],
    ['--minutes long', '--minutes: `long` is not a number from above 0 to 1440'],
    ['--seed 1.5', '--seed: `1.5` is not a whole number'],
    ['--workers auto', '--workers: `auto` is not a whole number from 1'],
    ['--plant trees', '--plant: `trees` is neither memory nor timers'],
    ['--hours 1', /--hours/],
  ]
  for (const [args, message] of cases) {
    t.throws(() => parseOptions(args.split(' ')), { name: 'UsageError', message }, args)
  }
})
