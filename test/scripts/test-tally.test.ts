import { once } from 'node:events'
import t from 'tap'
import { startTally, type FileTally } from '../../scripts/test-tally.ts'

interface Case {
  readonly note: string
  readonly tap: string
  readonly want: { readonly passed: number; readonly failures: readonly string[] }
}

const cases: readonly Case[] = [
  {
    note: 'each sentence without sentences inside is one test',
    tap: `# Subtest: a.test.ts
    # Subtest: outer
        ok 1 - bare
        # Subtest: first
            ok 1 - x
            ok 2 - y
            1..2
        ok 2 - first
        # Subtest: second
            1..0
        ok 3 - second
        1..3
    ok 1 - outer
    1..1
ok 1 - a.test.ts # time=12ms
`,
    want: { passed: 2, failures: [] },
  },
  {
    note: 'each failed assertion is told with its path, its parents are not',
    tap: `# Subtest: a.test.ts
    # Subtest: outer
        # Subtest: inner
            not ok 1 - one is two
            ok 2 - y
            1..2
        not ok 1 - inner
        1..1
    not ok 1 - outer
    1..1
not ok 1 - a.test.ts
`,
    want: { passed: 0, failures: ['a.test.ts › outer › inner › one is two'] },
  },
  {
    note: 'an error after the tests fails the file',
    tap: `# Subtest: a.test.ts
    # Subtest: x
        ok 1 - fine
        1..1
    ok 1 - x
    not ok 2 - late
    1..2
not ok 1 - a.test.ts
`,
    want: { passed: 1, failures: ['a.test.ts › late'] },
  },
  {
    note: 'a bad exit code after good tests fails the file',
    tap: `# Subtest: a.test.ts
    # Subtest: x
        ok 1 - fine
        1..1
    ok 1 - x
    1..1
not ok 1 - a.test.ts
`,
    want: { passed: 1, failures: ['a.test.ts › a.test.ts'] },
  },
  {
    note: 'what is skipped or to do is not passed',
    tap: `# Subtest: a.test.ts
    ok 1 - later # TODO
    ok 2 - elsewhere # SKIP no network
    1..2
ok 1 - a.test.ts
`,
    want: { passed: 0, failures: ['a.test.ts › later (to do)', 'a.test.ts › elsewhere (skipped)'] },
  },
  {
    note: 'a file without a test is a failure',
    tap: `# Subtest: a.test.ts
    1..0 # no tests found
ok 1 - a.test.ts # SKIP no tests found
`,
    want: { passed: 0, failures: ['a.test.ts › a.test.ts (skipped)'] },
  },
  {
    note: 'a plan that is not kept is a failure',
    tap: `# Subtest: a.test.ts
    # Subtest: x
        ok 1 - fine
        1..2
    not ok 1 - x
    1..1
not ok 1 - a.test.ts
`,
    want: { passed: 0, failures: ['a.test.ts › x › broke its plan'] },
  },
  {
    note: 'the runner that gives up is a failure of its own',
    tap: `# Subtest: a.test.ts
    1..0 # no tests found
not ok 1 - a.test.ts
not ok 2 - timeout!
`,
    want: { passed: 0, failures: ['a.test.ts › a.test.ts', 'the runner › timeout!'] },
  },
]

void t.test('startTally', async (t) => {
  for (const { note, tap, want } of cases) {
    await t.test(note, async (t) => {
      const tallies: FileTally[] = []
      const { input, events } = startTally()
      events.on('file', (tally) => tallies.push(tally))
      const complete = once(input, 'complete')
      input.end(`TAP version 14\n${tap}1..${tap.match(/^(not )?ok /gm)?.length}\n`)
      await complete
      t.equal(
        tallies.reduce((sum, tally) => sum + tally.passed, 0),
        want.passed,
        'passed',
      )
      t.strictSame(
        tallies.flatMap(({ failures }) => failures.map(({ path }) => path.join(' › '))),
        want.failures,
        'failures',
      )
    })
  }
})
