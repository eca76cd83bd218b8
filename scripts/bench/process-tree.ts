import { readdirSync, readFileSync } from 'node:fs'

/** What Linux says of a process and of all that it started (proc(5), /proc/PID/stat). */

export interface ProcessStat {
  readonly pid: number
  readonly parent: number
  /** User and system time of the process and of the children it has waited for, in clock ticks. */
  readonly ticks: number
  readonly residentPages: number
}

export interface TreeUse {
  readonly cpuSeconds: number
  readonly residentBytes: number
}

/** USER_HZ is 100 on every Linux that Node.js runs on, whatever the kernel's own HZ. */
const ticksPerSecond = 100
const pageBytes = 4096

/** Columns after the command's name, counted from the state (which is column 3 of proc(5)). */
const column = { parent: 1, utime: 11, stime: 12, cutime: 13, cstime: 14, rss: 21 } as const

/** Reads one line of `/proc/PID/stat`. The name may hold spaces and parentheses: it ends at the last one. */
export function parseStat(line: string): ProcessStat {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const at = (index: number): number => Number(fields[index])
  return {
    pid: Number.parseInt(line, 10),
    parent: at(column.parent),
    ticks: at(column.utime) + at(column.stime) + at(column.cutime) + at(column.cstime),
    residentPages: at(column.rss),
  }
}

/** The sums over a process and everything below it. */
export function sumTree(root: number, processes: readonly ProcessStat[]): TreeUse {
  const members = new Set([root])
  let size = 0
  // Until nothing is added: a child may stand before its parent.
  while (members.size !== size) {
    size = members.size
    for (const { pid, parent } of processes) if (members.has(parent)) members.add(pid)
  }
  let ticks = 0
  let pages = 0
  for (const process of processes) {
    if (!members.has(process.pid)) continue
    ticks += process.ticks
    pages += process.residentPages
  }
  return { cpuSeconds: ticks / ticksPerSecond, residentBytes: pages * pageBytes }
}

/** What the tree of a process has used so far. */
export function readTree(root: number): TreeUse {
  return sumTree(root, readProcesses())
}

function readProcesses(): ProcessStat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))]
      } catch {
        // It has ended since the folder was read.
        return []
      }
    })
}
