import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { minutes } from '../../src/units.ts'

/** What holds for both lanes once more in the other one, which an operator can step back to. */

t.setTimeout(minutes(5))

/** HTTP/2 has one lane. */
const ofHttp2 = /inbound-(?:http2|grpc|every-protocol)/

const files = ['scenarios/inbound-*.test.ts', 'scenarios/outbound-*.test.ts', 'outbound/*.test.ts']
  .flatMap((pattern) => globSync(join(import.meta.dirname, '..', pattern)))
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
