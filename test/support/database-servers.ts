import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, copyFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import type { TestCertificate } from './certificates.ts'

/**
 * Real servers that speak no HTTP, as Debian installs them: PostgreSQL and Redis, each started for one test file in a
 * folder of its own, as an account without privileges, and gone with it.
 */

export interface DatabaseServer {
  readonly port: number
  /** All that it has said. */
  log(): string
}

interface Folder {
  readonly path: string
  /** Of the account, for `spawn`; empty where the tests have no privileges themselves. */
  readonly as: { readonly uid?: number; readonly gid?: number }
  /** Copies a file into the folder for the account alone. */
  take(file: string, name: string): Promise<string>
}

const run = promisify(execFile)

/** How long a server may take to start on a busy machine. */
const startMs = 30_000

/** Ports are free when they are looked for, and may be taken a moment later. */
const maxAttempts = 3

/**
 * Whether the commands are there. Where everything must be tried (`CI`), a missing one fails; elsewhere it is said.
 */
export function hasServers(t: Test, packages: string, commands: readonly string[]): boolean {
  const missing = commands.filter((command) => !isFound(command))
  if (missing.length === 0) return true
  const advice = `${missing.join(', ')} cannot be found: apt-get install -y ${packages}`
  if (process.env['CI'] === undefined) t.comment(`not tested: ${advice}`)
  else t.fail(advice)
  return false
}

/** A database server without passwords; with a certificate it takes TLS, too. The user is `tester`. */
export async function startPostgresql(
  t: Test,
  { certificate }: { readonly certificate: TestCertificate },
): Promise<DatabaseServer> {
  const bin = await postgresqlPrograms()
  const folder = await makeFolder(t, 'postgres')
  const data = join(folder.path, 'data')
  const initialise = ['-D', data, '-U', 'tester', '--auth=trust', '--no-sync', '--locale=C']
  await run(join(bin, 'initdb'), initialise, { ...folder.as, cwd: folder.path, timeout: startMs })
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder.path,
    log_connections: 'on',
    fsync: 'off',
    ssl: 'on',
    ssl_cert_file: await folder.take(certificate.certificateFile, 'server.pem'),
    ssl_key_file: await folder.take(certificate.keyFile, 'server.key'),
  }
  const given = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return startServer(t, folder, {
    command: join(bin, 'postgres'),
    parameters: (port) => ['-D', data, '-p', String(port), ...given],
    ready: /ready to accept connections/,
    // Immediate: what is lost goes with the folder.
    stop: 'SIGQUIT',
  })
}

/** A Redis that keeps nothing; with a certificate it takes TLS and nothing else. */
export async function startRedis(
  t: Test,
  { certificate }: { readonly certificate?: TestCertificate } = {},
): Promise<DatabaseServer> {
  const folder = await makeFolder(t, 'redis')
  const tls =
    certificate === undefined
      ? []
      : [
          '--tls-cert-file',
          await folder.take(certificate.certificateFile, 'server.pem'),
          '--tls-key-file',
          await folder.take(certificate.keyFile, 'server.key'),
          '--tls-auth-clients',
          'no',
        ]
  const plain = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder.path]
  return startServer(t, folder, {
    command: 'redis-server',
    parameters: (port) => [
      ...plain,
      ...tls,
      ...(certificate === undefined
        ? ['--port', String(port)]
        : ['--port', '0', '--tls-port', String(port)]),
    ],
    ready: /Ready to accept connections/,
    stop: 'SIGTERM',
  })
}

interface ServerCommand {
  readonly command: string
  readonly parameters: (port: number) => readonly string[]
  readonly ready: RegExp
  readonly stop: NodeJS.Signals
}

async function startServer(
  t: Test,
  folder: Folder,
  server: ServerCommand,
): Promise<DatabaseServer> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const child = spawn(server.command, server.parameters(port), {
      ...folder.as,
      cwd: folder.path,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    const hear = (chunk: Buffer): void => void (text += chunk.toString())
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    const exited = once(child, 'exit').catch((error: unknown) => (text += String(error)))
    t.teardown(async () => {
      child.kill(server.stop)
      await exited
    })
    if (await isReady(child, () => server.ready.test(text))) return { port, log: () => text }
    child.kill('SIGKILL')
    await exited
    if (attempt === maxAttempts) throw new Error(`${server.command} does not start:\n${text}`)
  }
}

async function isReady(child: ChildProcess, hasSaidSo: () => boolean): Promise<boolean> {
  const until = performance.now() + startMs
  while (!hasSaidSo()) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > until) {
      return false
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return true
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('not a TCP server')
  return address.port
}

/** PostgreSQL refuses to run as root: then it runs as the account that its package has made. */
async function makeFolder(t: Test, account: string): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), `ringfence-${account}-`))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  const as =
    process.getuid?.() === 0
      ? { uid: await idOf('-u', account), gid: await idOf('-g', account) }
      : {}
  const give = async (file: string): Promise<void> => {
    if (as.uid !== undefined && as.gid !== undefined) await chown(file, as.uid, as.gid)
  }
  await give(path)
  return {
    path,
    as,
    async take(file, name) {
      const copy = join(path, name)
      await copyFile(file, copy)
      await run('chmod', ['0600', copy])
      await give(copy)
      return copy
    },
  }
}

async function idOf(kind: '-u' | '-g', account: string): Promise<number> {
  const { stdout } = await run('id', [kind, account])
  return Number(stdout)
}

/** Debian keeps them apart by version and out of the PATH. */
async function postgresqlPrograms(): Promise<string> {
  const root = '/usr/lib/postgresql'
  const versions = await readdir(root)
  const newest = versions.toSorted((one, other) => Number(other) - Number(one))[0] ?? ''
  return join(root, newest, 'bin')
}

function isFound(command: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${command} || ls /usr/lib/postgresql/*/bin/${command}`], {
      stdio: 'ignore',
    })
    return true
  } catch {
    return false
  }
}
