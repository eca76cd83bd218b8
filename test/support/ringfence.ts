import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type t from 'tap'
import type { OperationalLog } from '../../src/audit/operational-log.ts'
import { type Running, startRingfence } from '../../src/compose.ts'
import { ask } from './http-get.ts'
import { testSubscription } from './settings-parts.ts'

/** Whole instances for tests: their files, and they themselves in this process or as a child. */

type Test = Pick<typeof t, 'teardown'>

export interface ConfigurationFiles {
  readonly folder: string
  readonly configFile: string
  readonly auditFile: string
  readonly adminSocket: string
  /** Writes a file under the folder, in place; objects as JSON, which is YAML. */
  write(name: string, content: unknown): Promise<void>
  /** The access log so far, one object a line. */
  records(): Promise<readonly LogRecord[]>
}

/** What tests look at in a record of the access log. */
export interface LogRecord {
  readonly correlationId: string
  readonly operationName: string
  readonly category?: string
  readonly properties: {
    readonly reason: string
    readonly resultDirection?: string
    readonly closeReason?: string
    readonly sequence: number
    readonly boot: string
    readonly policyVersion: string
  }
}

export const scope = { subscriptionId: testSubscription, resourceGroup: 'shop' }

/** Settings with a health listener, an admin socket and an access log in the folder, and whatever is given. */
export async function writeConfiguration(
  t: Test,
  files: { readonly settings: object; readonly perimeters: Readonly<Record<string, object>> },
): Promise<ConfigurationFiles> {
  const folder = await mkdtemp(join(tmpdir(), 'ringfence-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'perimeters'))
  const auditFile = join(folder, 'access.log')
  const configuration: ConfigurationFiles = {
    folder,
    configFile: join(folder, 'ringfence.yaml'),
    auditFile,
    adminSocket: join(folder, 'admin.sock'),
    write: (name, content) =>
      writeFile(
        join(folder, name),
        typeof content === 'string' ? content : JSON.stringify(content, undefined, 2),
      ),
    async records() {
      const text = await readFile(auditFile, 'utf8').catch(() => '')
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as LogRecord)
    },
  }
  await configuration.write('ringfence.yaml', withDefaults(files.settings))
  for (const [name, perimeter] of Object.entries(files.perimeters))
    await configuration.write(`perimeters/${name}.yaml`, perimeter)
  return configuration
}

/** What `writeConfiguration` adds to settings, for writing them again. */
export function withDefaults(settings: object): object {
  return {
    scope,
    policy: { files: ['perimeters/*.yaml'] },
    audit: { file: 'access.log', flushIntervalMs: 20 },
    health: { listen: { host: '127.0.0.1', port: 0 } },
    admin: { socket: 'admin.sock' },
    timeouts: { drainMs: 2000 },
    ...settings,
  }
}

/** A perimeter of this scope, as a native document. */
export function perimeterDocument(name: string, rest: object): object {
  return { name, ...scope, location: 'local', ...rest }
}

/** Logged lines, for a look at what an operator would see. */
export interface CollectedLog extends OperationalLog {
  readonly lines: readonly { readonly level: string; readonly text: string }[]
}

export function collectLog(): CollectedLog {
  const lines: { level: string; text: string }[] = []
  const at =
    (level: string) =>
    (...parts: unknown[]): void => {
      const text = parts
        .map((part) => (typeof part === 'string' ? part : JSON.stringify(part, errorsAsText)))
        .join(' ')
      lines.push({ level, text })
    }
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function errorsAsText(_key: string, value: unknown): unknown {
  return value instanceof Error ? String(value.stack) : value
}

export interface TestInstance extends ConfigurationFiles {
  readonly running: Running
  readonly log: CollectedLog
  /** Port of a listener; `health` for the health listener. */
  port(name: string): number
}

/** Starts an instance in this process; it is stopped when the test ends. */
export async function startInProcess(t: Test, files: ConfigurationFiles): Promise<TestInstance> {
  const log = collectLog()
  const running = await startRingfence({ configFile: files.configFile, log })
  t.teardown(async () => {
    await running.stop()
  })
  return {
    ...files,
    running,
    log,
    port(name) {
      const found = running.bound.find((one) => one.name === name)
      if (found === undefined || 'socket' in found.address) throw new Error(`no port: ${name}`)
      return found.address.port
    },
  }
}

export interface ChildInstance extends ConfigurationFiles {
  readonly child: ChildProcess
  port(name: string): number
  stdout(): string
  stderr(): string
  /** Resolves when standard error holds what the pattern says. */
  says(pattern: RegExp): Promise<void>
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>
}

export const mainFile = new URL('../../src/main.ts', import.meta.url).pathname

/** Runs `ringfence run` as a child and waits until it is ready; it is killed when the test ends. */
export async function startChild(
  t: Test,
  files: ConfigurationFiles,
  nodeArgs: readonly string[] = [],
): Promise<ChildInstance> {
  return readyChild(files, spawnRingfence(t, ['run', '--config', files.configFile], nodeArgs))
}

/** The same behind the words of another command. */
export async function startWithin(
  t: Test,
  files: ConfigurationFiles,
  within: readonly string[],
): Promise<ChildInstance> {
  return readyChild(files, spawnNode(t, [mainFile, 'run', '--config', files.configFile], within))
}

type Spawned = Omit<ChildInstance, keyof ConfigurationFiles | 'port'>

async function readyChild(files: ConfigurationFiles, instance: Spawned): Promise<ChildInstance> {
  await instance.says(/^ready in /m)
  return {
    ...files,
    ...instance,
    port(name) {
      const line = instance
        .stderr()
        .split('\n')
        .find((text) => text.split(/\s+/).includes(name))
      const port = /:(\d+) /.exec(line ?? '')?.[1]
      if (port === undefined) throw new Error(`no port: ${name}`)
      return Number(port)
    },
  }
}

/** Starts the command line as a child; `nodeArgs` are Node's own. */
export function spawnRingfence(
  t: Test,
  args: readonly string[],
  nodeArgs: readonly string[] = [],
): Spawned {
  return spawnNode(t, [...nodeArgs, mainFile, ...args])
}

/** Starts a script as a child, behind the words of another command (`within`) if there are any. */
export function spawnNode(
  t: Test,
  args: readonly string[],
  within: readonly string[] = [],
): Spawned {
  const [command = process.execPath, ...parameters] = [...within, process.execPath, ...args]
  const child = spawn(command, parameters, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: plainEnvironment(),
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  let hasExited = false
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => {
      hasExited = true
      resolve(code ?? signal ?? -1)
    })
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return {
    child,
    exited,
    stdout: () => stdout,
    stderr: () => stderr,
    async says(pattern) {
      const until = performance.now() + patienceMs
      while (!pattern.test(stderr)) {
        if (hasExited || performance.now() > until)
          throw new Error(`the child never said ${String(pattern)}, but:\n${stderr}`)
        await wait(5)
      }
    },
  }
}

const patienceMs = 20_000

/** As a user has it: without what the test runner puts into the environment to look into child processes. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const names = ['PATH', 'HOME', 'TMPDIR']
  return Object.fromEntries(names.map((name) => [name, process.env[name]]))
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Asks until the condition holds; throws with what it saw last if it never does. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  holds: (seen: T) => boolean,
): Promise<T> {
  const until = performance.now() + patienceMs
  for (;;) {
    const seen = await look()
    if (holds(seen)) return seen
    if (performance.now() > until) throw new Error(`it never came to be: ${JSON.stringify(seen)}`)
    await wait(20)
  }
}

/** An answer of the admin socket. */
export async function askAdmin(
  files: ConfigurationFiles,
  request: { readonly method?: string; readonly path: string },
): Promise<{ readonly status: number; readonly json: Record<string, unknown> }> {
  const { status, body } = await ask({ socketPath: files.adminSocket, ...request })
  return { status, json: JSON.parse(body) as Record<string, unknown> }
}

/** A figure of `/metrics`, labels as written; 0 where it is not there. */
export async function metric(port: number, series: string): Promise<number> {
  const { body } = await ask({ port, path: '/metrics' })
  const line = body.split('\n').find((text) => text.startsWith(`${series} `))
  return line === undefined ? 0 : Number(line.slice(series.length + 1))
}
