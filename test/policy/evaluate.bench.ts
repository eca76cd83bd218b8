import { compilePolicy } from '../support/compile-policy.ts'
import type { PolicySnapshot } from '../../src/policy/snapshot.ts'
import { measureDecisions, type Measurement } from './measure-decisions.ts'
import { buildLargePolicy } from './large-policy.ts'

/**
 * `npm run bench:policy`: what one decision costs on one core, with 10, 1,000 and 100,000 prefixes and as many FQDNs.
 * Prints the bars and exits 1 where one is missed.
 */

const sizes = [10, 1_000, 100_000] as const
const smallest = 10
const largest = 100_000
const decisionsPerSecond = 1_000_000
const nanosecondsPerSecond = 1e9
/** At the largest size a decision costs at most twice that of the smallest, or so many nanoseconds more. */
const growthFactor = 2
const growthNanoseconds = 300

const measured = new Map<string, Map<number, number>>()
for (const size of sizes) {
  const snapshot = compile(size)
  for (const measurement of measureDecisions(snapshot, { size, rounds: 15, decisions: 200_000 })) {
    note(measurement, size)
  }
}

const names = [...measured.keys()]
const width = Math.max(...names.map((name) => name.length))
console.log(`\n${'ns per decision'.padEnd(width)}${sizes.map((size) => format(size)).join('')}`)
for (const [name, bySize] of measured) {
  console.log(`${name.padEnd(width)}${sizes.map((size) => format(bySize.get(size))).join('')}`)
}

let missed = 0
console.log('')
for (const [name, bySize] of measured) {
  const small = bySize.get(smallest) ?? Infinity
  const large = bySize.get(largest) ?? Infinity
  const rate = nanosecondsPerSecond / large
  bar(
    rate >= decisionsPerSecond,
    `${name}: ${(rate / 1e6).toFixed(1)} million decisions a second at ${largest}`,
  )
  const most = Math.max(growthFactor * small, small + growthNanoseconds)
  bar(large <= most, `${name}: ${large.toFixed(0)} ns at ${largest}, at most ${most.toFixed(0)} ns`)
}
process.exitCode = missed === 0 ? 0 : 1

function compile(size: number): PolicySnapshot {
  const input = buildLargePolicy(size)
  globalThis.gc?.()
  const before = process.memoryUsage()
  const start = performance.now()
  const snapshot = compilePolicy(input)
  const milliseconds = performance.now() - start
  globalThis.gc?.()
  const after = process.memoryUsage()
  const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers
  console.log(
    `compiled ${size} prefixes and ${size} FQDNs in ${milliseconds.toFixed(0)} ms, ${(bytes / 2 ** 20).toFixed(1)} MiB kept`,
  )
  return snapshot
}

function note({ name, nanoseconds }: Measurement, size: number): void {
  const bySize = measured.get(name) ?? new Map<number, number>()
  measured.set(name, bySize.set(size, nanoseconds))
}

function format(value: number | undefined): string {
  return (value ?? NaN).toFixed(0).padStart(9)
}

function bar(isHeld: boolean, text: string): void {
  if (!isHeld) missed++
  console.log(`${isHeld ? 'pass' : 'FAIL'}  ${text}`)
}
