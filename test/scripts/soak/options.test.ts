import t from 'tap'
import { parseOptions } from '../../../scripts/soak/options.ts'

void t.test('parseOptions: a minute, unless told otherwise', async (t) => {
  t.match(parseOptions([]), { minutes: 1, seed: Number })
  t.strictSame(parseOptions(['--minutes', '0.5', '--seed', '7']), { minutes: 0.5, seed: 7 })
  t.equal(parseOptions(['--help']), undefined)
})

void t.test('parseOptions: a mistake is told in a sentence', async (t) => {
  const cases: readonly (readonly [args: string, message: string | RegExp])[] = [
    ['--minutes 0', '--minutes: `0` is not a number from above 0 to 1440'],
    ['--minutes long', '--minutes: `long` is not a number from above 0 to 1440'],
    ['--seed 1.5', '--seed: `1.5` is not a whole number'],
    ['--hours 1', /--hours/],
  ]
  for (const [args, message] of cases) {
    t.throws(() => parseOptions(args.split(' ')), { name: 'UsageError', message }, args)
  }
})
