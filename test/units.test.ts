import t from 'tap'
import { hours, KiB, MiB, minutes, seconds } from '../src/units.ts'

void t.test('units are bytes and milliseconds', async (t) => {
  t.equal(MiB, 1024 * KiB)
  t.equal(hours(1), minutes(60))
  t.equal(minutes(1), seconds(60))
  t.equal(seconds(1), 1000)
})
