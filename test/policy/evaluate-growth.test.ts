import t from 'tap'
import { compilePolicy } from '../support/compile-policy.ts'
import { buildLargePolicy } from './large-policy.ts'
import { measureDecisions } from './measure-decisions.ts'

const small = 10
const large = 20_000
/** Loose on purpose: a look-up that scans the rules is two thousand times slower, a noisy machine not even ten. */
const growthFactor = 20

void t.test('a decision does not cost more because there are more rules', (t) => {
  const measure = (size: number) =>
    measureDecisions(compilePolicy(buildLargePolicy(size)), { size, rounds: 3, decisions: 20_000 })
  const before = new Map(measure(small).map(({ name, nanoseconds }) => [name, nanoseconds]))
  for (const { name, nanoseconds } of measure(large)) {
    const most = growthFactor * (before.get(name) ?? 0) + 1000
    t.ok(
      nanoseconds <= most,
      `${name}: ${nanoseconds.toFixed(0)} ns, at most ${most.toFixed(0)} ns`,
    )
  }
  t.end()
})
