import t from 'tap'
import { createCorrelationIds } from '../../src/compose/correlation-ids.ts'

void t.test('an id is a UUID of version 4', async (t) => {
  const newId = createCorrelationIds()
  const seen = new Set<string>()
  for (let count = 0; count < 2000; count++) {
    const id = newId()
    t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    seen.add(id)
  }
  t.equal(seen.size, 2000)
})

void t.test('every random bit but version and variant shows, in order', async (t) => {
  let fills = 0
  const newId = createCorrelationIds((bytes) => {
    fills++
    for (let index = 0; index < bytes.length; index++) bytes[index] = index
  })
  t.equal(newId(), '00010203-0405-4607-8809-0a0b0c0d0e0f')
  t.equal(newId(), '10111213-1415-4617-9819-1a1b1c1d1e1f')
  for (let count = 2; count < 256; count++) newId()
  t.equal(fills, 1)
  t.equal(newId(), '00010203-0405-4607-8809-0a0b0c0d0e0f')
  t.equal(fills, 2)
})
