import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { stallsHeader, stallsSince } from '../../../scripts/bench/stalls.ts'

void t.test('stallsSince: what was noted since, and no answer where nobody looked', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-test-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const write = (text: string): void => writeFileSync(join(folder, 'stalls'), text)
  t.throws(() => stallsSince(folder, 0), { code: 'ENOENT' })
  write('')
  t.throws(() => stallsSince(folder, 0), { message: 'the probe of stalls has not run' })
  write('9.00 9.00 100\n')
  t.throws(() => stallsSince(folder, 0), { message: 'the probe of stalls has not run' })
  write(`${stallsHeader}\n`)
  t.strictSame(stallsSince(folder, 0), [])
  write(`${stallsHeader}\n1.50 2.00 100\n2.50 3.00 200\n`)
  t.strictSame(stallsSince(folder, 101), [2.5])
})
