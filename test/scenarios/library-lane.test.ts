import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { minutes } from '../../src/units.ts'

/** The scenarios of the inbound side once more, in the lane that an operator can step back to. */

t.setTimeout(minutes(5))

/** HTTP/2 has one lane. */
const ofHttp2 = /inbound-(?:http2|grpc|every-protocol)/

const files = globSync(join(import.meta.dirname, 'inbound-*.test.ts'))
  .filter((file) => !ofHttp2.test(file))
  .toSorted()

for (const file of files) {
  void t.spawn(
    process.execPath,
    [file],
    { env: { ...process.env, RINGFENCE_TEST_LANE: 'library' }, timeout: minutes(3) },
    basename(file),
  )
}
