import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { minutes } from '../../src/units.ts'

/** The scenarios of the inbound side once more, in the lane that an operator can step back to. */

t.setTimeout(minutes(5))

const files = globSync(join(import.meta.dirname, 'inbound-*.test.ts')).toSorted()

for (const file of files) {
  void t.spawn(
    process.execPath,
    [file],
    { env: { ...process.env, RINGFENCE_TEST_LANE: 'library' }, timeout: minutes(3) },
    basename(file),
  )
}
