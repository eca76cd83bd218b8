import t from 'tap'
import { parseOptions } from '../../../scripts/bench/options.ts'

const known = { scenarios: ['reverse', 'connect'], peers: ['nginx', 'squid'] }

void t.test(
  'parseOptions: nothing asked for is everything, long enough to mean something',
  async (t) => {
    t.match(parseOptions([], known), {
      only: undefined,
      peers: undefined,
      smoke: false,
      source: false,
    })
  },
)

void t.test('parseOptions: names, numbers and flags', async (t) => {
  const args = '--only reverse,connect --peers nginx --seconds 0.5 --rounds 3 --out x --source'
  t.strictSame(parseOptions(args.split(' '), known), {
    only: ['reverse', 'connect'],
    peers: ['nginx'],
    seconds: 0.5,
    rounds: 3,
    smoke: false,
    source: true,
    out: 'x',
  })
})

void t.test('parseOptions: smoke is short, unless it is told otherwise', async (t) => {
  t.match(parseOptions(['--smoke'], known), { smoke: true, rounds: 1 })
  t.match(parseOptions(['--smoke', '--rounds', '2'], known), { rounds: 2 })
})

void t.test('parseOptions: help is nothing to run', async (t) => {
  t.equal(parseOptions(['--help'], known), undefined)
})

void t.test('parseOptions: a mistake is told in a sentence', async (t) => {
  const cases: readonly (readonly [args: string, message: string | RegExp])[] = [
    ['--only revers', '--only: there is no `revers`; there are reverse, connect'],
    ['--peers apache', '--peers: there is no `apache`; there are nginx, squid'],
    ['--seconds 0', '--seconds: `0` is not a number from above 0 to 3600'],
    ['--rounds many', '--rounds: `many` is not a number from above 0 to 3600'],
    ['--fast', /--fast/],
    ['reverse', /reverse/],
  ]
  for (const [args, message] of cases) {
    const parse = (): unknown => parseOptions(args.split(' '), known)
    t.throws(parse, { name: 'UsageError', message }, args)
  }
})
