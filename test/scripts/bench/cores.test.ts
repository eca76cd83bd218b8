import t from 'tap'
import { parseCoreList, parseCoreTime } from '../../../scripts/bench/cores.ts'

void t.test('parseCoreList: single cores and ranges', async (t) => {
  t.strictSame(parseCoreList('0'), [0])
  t.strictSame(parseCoreList('0-2,5,7-8'), [0, 1, 2, 5, 7, 8])
})

void t.test('parseCoreTime: busy is all but idle and iowait; stolen is apart', async (t) => {
  const stat =
    'cpu  1 1 1 1 1 1 1 1 0 0\ncpu0 9 9 9 9 9 9 9 9 0 0\ncpu1 100 200 300 4 5 60 70 80 0 0\n'
  t.strictSame(parseCoreTime(stat, 1), { busySeconds: 7.3, stolenSeconds: 0.8 })
  t.throws(() => parseCoreTime(stat, 2), { message: '/proc/stat does not know core 2' })
})
