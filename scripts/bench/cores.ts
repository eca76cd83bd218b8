import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Which cores there are for us, which of them does what, and how busy one has been (proc(5), /proc/stat). */

export interface Cores {
  /** The proxy's own. */
  readonly proxy: number
  /** The load generator's and the back end's. */
  readonly load: number
  readonly all: readonly number[]
}

export interface CoreTime {
  /** Everything but idling and waiting for a disk. */
  readonly busySeconds: number
  /** What the hypervisor gave to others. */
  readonly stolenSeconds: number
}

const ticksPerSecond = 100

/** Keeps this process, and what it starts without saying otherwise, off the proxy's core. */
export function pinSelf({ load }: Cores): void {
  const args = ['--all-tasks', '--pid', '--cpu-list', `${load}`, `${process.pid}`]
  execFileSync('taskset', args, { stdio: 'ignore' })
}

/**
 * The proxy gets the last core: interrupts of devices mostly land on the first.
 *
 * @param mayShare whether one core for both will do: figures then mean nothing.
 */
export function readCores({ mayShare }: { readonly mayShare: boolean }): Cores {
  const status = readFileSync('/proc/self/status', 'utf8')
  const all = parseCoreList(/^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '')
  const load = all.at(0)
  const proxy = all.at(-1)
  if (load === undefined || proxy === undefined || (load === proxy && !mayShare)) {
    throw new Error('two cores are needed, one for the proxy and one for the load')
  }
  return { proxy, load, all }
}

/** `0-2,5` as numbers. */
export function parseCoreList(text: string): readonly number[] {
  return text.split(',').flatMap((part) => {
    const [first = NaN, last = first] = part.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

/** What a core has done since the machine started. */
export function readCoreTime(core: number): CoreTime {
  return parseCoreTime(readFileSync('/proc/stat', 'utf8'), core)
}

export function parseCoreTime(stat: string, core: number): CoreTime {
  const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(stat)?.[1]
  if (line === undefined) throw new Error(`/proc/stat does not know core ${core}`)
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .split(' ')
    .map(Number)
  return {
    busySeconds: (user + nice + system + irq + softirq) / ticksPerSecond,
    stolenSeconds: steal / ticksPerSecond,
  }
}
