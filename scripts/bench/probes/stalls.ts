import { appendFileSync, writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { stallsHeader } from '../stalls.ts'

/**
 * Runs inside Ringfence (`node --import`), on the thread that serves, and notes every turn of its event loop that took
 * long: in CPU time of that thread, so that other programs on the core do not count, and as the clock saw it.
 *
 * Each line of the file `stalls` in the current folder, but for the header: milliseconds of CPU, of the clock, and since the epoch.
 */

const notedMs = 1
const microsecondsPerMs = 1000

if (isMainThread) {
  writeFileSync('stalls', `${stallsHeader}\n`)
  let cpu = cpuMs()
  let clock = performance.now()
  setInterval(() => {
    const nowCpu = cpuMs()
    const now = performance.now()
    const took = nowCpu - cpu
    if (took > notedMs) {
      appendFileSync('stalls', `${took.toFixed(2)} ${(now - clock).toFixed(2)} ${Date.now()}\n`)
    }
    // What the note itself took is not Ringfence's.
    cpu = cpuMs()
    clock = performance.now()
  }, 1).unref()
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / microsecondsPerMs
}
