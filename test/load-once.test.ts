import t from 'tap'
import { loadOnce } from '../src/load-once.ts'

void t.test('loadOnce: loads at the first call, once for all who ask', async (t) => {
  let loads = 0
  const load = loadOnce(async () => ++loads)
  t.equal(loads, 0)
  t.strictSame(await Promise.all([load(), load()]), [1, 1])
  t.equal(await load(), 1)
})

void t.test('loadOnce: forgets a load that failed, and tells whoever waited for it', async (t) => {
  let loads = 0
  const load = loadOnce(async () => {
    if (++loads === 1) throw new Error('too many open files')
    return loads
  })
  const first = load()
  t.equal(load(), first, 'one load at a time')
  await t.rejects(first, { message: 'too many open files' })
  t.equal(await load(), 2)
  t.equal(await load(), 2)
})
