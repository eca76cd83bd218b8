import t from 'tap'
import { createPathSet } from '../../src/documents/path-set.ts'

void t.test('createPathSet: knows what lies above and below', (t) => {
  const set = createPathSet()
  t.notOk(set.hasWithin([]))
  t.notOk(set.covers([]))
  set.add(['a', 1, 'b/c'])
  for (const path of [[], ['a'], ['a', 1], ['a', '1', 'b/c']]) t.ok(set.hasWithin(path))
  for (const path of [['b'], ['a', 11], ['a', 1, 'b'], ['a', 1, 'b/c', 'd'], ['a,1']]) {
    t.notOk(set.hasWithin(path), JSON.stringify(path))
  }
  for (const path of [
    ['a', '1', 'b/c'],
    ['a', 1, 'b/c', 0],
  ]) {
    t.ok(set.covers(path))
  }
  for (const path of [[], ['a'], ['a', 1], ['a', 1, 'b', 'c']]) t.notOk(set.covers(path))
  t.end()
})
