import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { confirm, fuzz, type Kind, startChecks } from './run.ts'

/** What fuzzing has found stays found: each case is bytes, and all that read them must agree. */

const files = globSync(join(import.meta.dirname, 'cases/*.json')).toSorted()

function readCase(file: string): { note: string; kind: Kind; bytes: string } {
  const read: unknown = JSON.parse(readFileSync(file, 'utf8'))
  const { note, kind, bytes } = Object(read) as Record<string, unknown>
  if (typeof note !== 'string' || typeof bytes !== 'string') throw new Error(file)
  if (kind !== 'request' && kind !== 'answer' && kind !== 'hello') throw new Error(file)
  return { note, kind, bytes }
}

void t.test('what was found once', async (t) => {
  const checks = await startChecks(t)
  for (const file of files) {
    const { note, kind, bytes } = readCase(file)
    const { problem, isConfirmed } = await confirm(checks[kind], bytes)
    t.equal(isConfirmed ? problem : undefined, undefined, `${basename(file)}: ${note}`)
  }
})

/** Known: what an unknown one finds is to be looked at, not to stop whatever is being tested. `npm run fuzz` takes those. */
const seed = 20_261_124

void t.test('a little more of it', async (t) => {
  const checks = await startChecks(t)
  const { finds, doubts, whole } = await fuzz(checks, { seed, seconds: 2 })
  t.strictSame(finds, [], `npm run fuzz -- --seed ${seed}`)
  t.strictSame(doubts, [])
  // A relay that passes nothing on has nothing that could differ.
  for (const [kind, count] of Object.entries(whole)) t.ok(count > 0, kind)
})
