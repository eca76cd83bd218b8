import t from 'tap'
import { withNarrowMask } from '../../src/compose/narrow-mask.ts'

void t.test('withNarrowMask: as long as the work lasts, and after it fails', async (t) => {
  const before = process.umask()
  t.equal(await withNarrowMask(() => Promise.resolve(process.umask())), 0o177)
  t.equal(process.umask(), before)
  await t.rejects(withNarrowMask(() => Promise.reject(new Error('no'))))
  t.equal(process.umask(), before)
})
