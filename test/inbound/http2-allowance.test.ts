import t from 'tap'
import { createAllowance } from '../../src/inbound/http2-allowance.ts'

void t.test('createAllowance gives so many at once and so many a second', (t) => {
  let now = 0
  const allowance = createAllowance({ burst: 3, perSecond: 2, now: () => now })
  const takeMany = (): number => {
    let taken = 0
    while (allowance.take()) taken++
    return taken
  }
  t.equal(takeMany(), 3, 'the burst')
  now = 499
  t.equal(takeMany(), 0, 'not yet one')
  now = 500
  t.equal(takeMany(), 1, 'one')
  now = 1500
  t.equal(takeMany(), 2, 'two a second')
  now = 1_000_000
  t.equal(takeMany(), 3, 'never more than the burst')
  t.end()
})
