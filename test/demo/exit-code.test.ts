import t from 'tap'
import type { Story } from '../../src/demo/check.ts'
import { runDemo } from '../../src/demo/main.ts'

/** A story of two checks that look at nothing: one that is as expected, and one that is not. */
function storyOf(got: string): Story {
  const check = { tried: 'something', expect: 'good', categories: [] }
  return {
    title: 'A story',
    about: 'for a test',
    checks: () =>
      ['good', got].map((seen) => ({
        ...check,
        act: async () => ({ kind: 'observation', got: seen }) as const,
      })),
  }
}

for (const { note, got, exitCode, last } of [
  { note: 'all checks pass', got: 'good', exitCode: 0, last: '2 checks passed, 0 failed' },
  { note: 'a check fails', got: 'bad', exitCode: 1, last: '1 checks passed, 1 failed' },
]) {
  void t.test(`runDemo: ${note}, exit code ${exitCode}`, async (t) => {
    const lines: string[] = []
    const write = (line: string): void => void lines.push(line)
    const stories = [storyOf(got)]
    t.equal(await runDemo({ keep: false, write, colours: false, stories }), exitCode)
    t.ok(lines.includes(last), lines.join('\n'))
  })
}
