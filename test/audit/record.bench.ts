import { measureAccept, measureStringify, typicalRecords } from '../support/record-cost.ts'

/**
 * CPU per record, numbered, formatted, batched and encoded; the goal is 1.5 µs. Beside it what `JSON.stringify` takes for
 * the same facts in the same run. Run: npm run bench:log
 */
const goalMicroseconds = 1.5
const rounds = 9
const perRound = 50_000

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN
}

for (const { note, record } of typicalRecords) {
  const accepted = []
  const general = []
  let bytes = 0
  for (let round = 0; round < rounds; round++) {
    const cost = measureAccept(record, perRound)
    accepted.push(cost.microseconds)
    bytes = cost.bytes
    general.push(measureStringify(record, perRound).microseconds)
  }
  const [ours, theirs] = [median(accepted), median(general)]
  console.log(
    `${note}: ${ours.toFixed(2)} µs, ${Math.round(bytes)} bytes (goal <= ${goalMicroseconds} µs);` +
      ` JSON.stringify ${theirs.toFixed(2)} µs, ratio ${(ours / theirs).toFixed(2)}`,
  )
}
