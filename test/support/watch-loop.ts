import { existsSync, openSync, readSync } from 'node:fs'

const schedstat = existsSync('/proc/self/schedstat')
  ? openSync('/proc/self/schedstat', 'r')
  : undefined
const figures = Buffer.alloc(128)

export interface Stall {
  /** The longest time between two turns of the loop. */
  readonly stallMs: number
  /** The same without the time that this thread could have run but others had the core. */
  readonly ownStallMs: number
  /** The most processor time that this thread took between two turns: what it did itself, on however busy a machine. */
  readonly workMs: number
}

/** Watches the event loop of the main thread, which is kept turning, until what it returns is called. */
export function watchLoop(): () => Stall {
  let stallMs = 0
  let ownStallMs = 0
  let workMs = 0
  let lastWorked = process.threadCpuUsage()
  let last = performance.now()
  let lastWaited = waitedForCoreMs()
  let turn = setImmediate(look)
  function look(): void {
    const now = performance.now()
    const waited = waitedForCoreMs()
    const { user, system } = process.threadCpuUsage(lastWorked)
    workMs = Math.max(workMs, (user + system) / 1000)
    stallMs = Math.max(stallMs, now - last)
    ownStallMs = Math.max(ownStallMs, now - last - (waited - lastWaited))
    last = now
    lastWaited = waited
    lastWorked = process.threadCpuUsage()
    turn = setImmediate(look)
  }
  return () => {
    clearImmediate(turn)
    return { stallMs, ownStallMs, workMs }
  }
}

/** The second figure of `schedstat` is the main thread's time on a run queue, in nanoseconds (Linux only). */
function waitedForCoreMs(): number {
  if (schedstat === undefined) return 0
  const length = readSync(schedstat, figures, 0, figures.length, 0)
  return Number(figures.toString('latin1', 0, length).split(' ')[1]) / 1e6
}
