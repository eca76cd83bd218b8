import t from 'tap'
import { measureAccept, measureStringify, typicalRecords } from '../support/record-cost.ts'

/** A record may cost this much of what `JSON.stringify` takes for the same line in the same run. */
const maxRatio = 0.6
const perRound = 10_000
/** The least of them counts: what disturbs a measurement only adds to it. */
const rounds = 9

void t.test('a record costs well under what JSON.stringify takes for its line', async (t) => {
  for (const { note, record } of typicalRecords) {
    let ours = Infinity
    let theirs = Infinity
    for (let round = 0; round < rounds; round++) {
      ours = Math.min(ours, measureAccept(record, perRound).microseconds)
      theirs = Math.min(theirs, measureStringify(record, perRound).microseconds)
    }
    const ratio = ours / theirs
    const shown = `${note}: ${ours.toFixed(2)} µs of ${theirs.toFixed(2)} µs`
    t.ok(ours > 0 && ratio <= maxRatio, `${shown}, ratio ${ratio.toFixed(2)}`)
  }
})
