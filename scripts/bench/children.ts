import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, closeSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** The processes that a bench starts, each on its core, and the one place that ends them. */

export interface Command {
  /** For messages. */
  readonly name: string
  /** Absent: wherever this process may run. */
  readonly core?: number | readonly number[]
  readonly program: string
  readonly args: readonly string[]
  /** Where it runs, and where what it prints is kept. */
  readonly folder: string
  /** Added to the environment. */
  readonly env?: NodeJS.ProcessEnv
  /** 19 yields to everybody else on its core. */
  readonly niceness?: number
}

export interface Service {
  readonly pid: number
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>
  /** Ends it and everything it started. */
  stop(): Promise<void>
}

const startTimeoutMs = 20_000
const stopTimeoutMs = 3_000
const shownOutput = 1_500
/** Debian keeps proxies where the PATH of a plain user does not look. */
const searchPath = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`

export class Children {
  readonly #running = new Set<ChildProcess>()
  #isClosed = false
  readonly #killAll = (): void => {
    for (const child of this.#running) killGroup(child, 'SIGKILL')
  }

  constructor() {
    process.once('exit', this.#killAll)
  }

  /** Starts something that listens, and waits until the port accepts. */
  async startService(
    command: Command & { readonly port: number; readonly timeoutMs?: number },
  ): Promise<Service> {
    const child = this.#spawn(command)
    const until = performance.now() + (command.timeoutMs ?? startTimeoutMs)
    while (!(await accepts(command.port))) {
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > until) {
        throw new Error(`${command.name} did not start\n${outputOf(command)}`)
      }
      await delay(10)
    }
    return { pid: child.pid ?? 0, exited: exitOf(child), stop: () => this.#stop(child) }
  }

  /** Runs a program of ours to its end; it prints one line of JSON. */
  async run<Result>(command: Command): Promise<Result> {
    const child = this.#spawn(command, 'pipe')
    let printed = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (printed += text))
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(`${command.name} failed\n${outputOf(command)}`)
    const result: Result = JSON.parse(printed)
    return result
  }

  /** Ends all that run now: first asks, then does not ask. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map((child) => this.#stop(child)))
  }

  /** Ends all, and what is started after. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.stopAll()
    process.off('exit', this.#killAll)
  }

  #spawn(command: Command, stdout: 'file' | 'pipe' = 'file'): ChildProcess {
    const { program, args, folder, niceness } = command
    const cores = [command.core ?? []].flat().join(',')
    const [first = '', ...rest] = [
      ...(niceness === undefined ? [] : ['nice', '-n', `${niceness}`]),
      ...(cores === '' ? [] : ['taskset', '--cpu-list', cores]),
      program,
      ...args,
    ]
    const out = stdout === 'pipe' ? undefined : openSync(path.join(folder, 'stdout'), 'a')
    const err = openSync(path.join(folder, 'stderr'), 'a')
    // A group of its own: workers must not outlive a master that had no time to end them.
    const child = spawn(first, rest, {
      cwd: folder,
      detached: true,
      stdio: ['ignore', out ?? 'pipe', err],
      env: { ...process.env, PATH: searchPath, ...command.env },
    })
    if (out !== undefined) closeSync(out)
    closeSync(err)
    this.#running.add(child)
    child.once('error', () => this.#running.delete(child))
    child.once('exit', () => {
      killGroup(child, 'SIGKILL')
      this.#running.delete(child)
    })
    if (this.#isClosed) killGroup(child, 'SIGKILL')
    return child
  }

  async #stop(child: ChildProcess): Promise<void> {
    if (!this.#running.has(child)) return
    const ended = once(child, 'exit')
    killGroup(child, 'SIGTERM')
    const late = new AbortController()
    const timeout = delay(stopTimeoutMs, undefined, { signal: late.signal }).catch(() => undefined)
    await Promise.race([ended, timeout])
    late.abort()
    killGroup(child, 'SIGKILL')
  }
}

async function exitOf(child: ChildProcess): Promise<number | NodeJS.Signals> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode ?? child.signalCode ?? -1
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // Nobody is left in it.
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port })
  const { promise, resolve } = Promise.withResolvers<boolean>()
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  const accepted = await promise
  socket.destroy()
  return accepted
}

function outputOf({ folder }: Command): string {
  return ['stderr', 'stdout']
    .map((name) => readFileSync(path.join(folder, name), { encoding: 'utf8', flag: 'a+' }))
    .join('')
    .trim()
    .slice(-shownOutput)
}
