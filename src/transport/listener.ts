import { chmodSync } from 'node:fs'
import { lstat, stat, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { PerimeterError } from '../errors.ts'

/** Where servers listen, and how that goes wrong. */

/** `port` 0 takes a free one. */
export interface TcpEndpoint {
  readonly host: string
  readonly port: number
}

export interface UnixEndpoint {
  readonly socket: string
  /** Permissions of the socket; whoever may write may connect (unix(7)). Absent: 0600, its owner alone. */
  readonly mode?: number
}

export interface ListenOptions {
  /** Told of errors of the listening socket later on (a failed accept); they never end the process. Must not throw. */
  readonly onFault?: (error: Error) => void
}

/** `sun_path` less its terminating zero (unix(7); macOS has four bytes less). */
const maxSocketPathBytes = process.platform === 'darwin' ? 103 : 107

/** Only its owner may connect. */
const privateMode = 0o600

/** How long a socket that is there may take to show whether somebody answers. */
const probeMs = 1000

const wordsByCode: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'something else listens there'],
  ['EADDRNOTAVAIL', 'no interface of this machine has that address'],
  ['EACCES', 'permission denied'],
  ['ENOTFOUND', 'the name does not resolve'],
  ['EAI_AGAIN', 'the name does not resolve'],
  ['EROFS', 'the file system is read-only'],
])

/**
 * Listens, and gives the address that it became. A Unix socket has its mode from its first moment and is removed on
 * close; one left behind is removed first, if nobody answers on it. Throws `PerimeterError` RF_LISTEN.
 */
export async function listen(
  server: Server,
  address: TcpEndpoint,
  options?: ListenOptions,
): Promise<TcpEndpoint>
export async function listen(
  server: Server,
  address: TcpEndpoint | UnixEndpoint,
  options?: ListenOptions,
): Promise<TcpEndpoint | UnixEndpoint>
export async function listen(
  server: Server,
  address: TcpEndpoint | UnixEndpoint,
  options: ListenOptions = {},
): Promise<TcpEndpoint | UnixEndpoint> {
  if ('socket' in address) {
    await clearSocketPath(address.socket)
    await bind(server, () => listenWithMode(server, address), address.socket)
  } else {
    const { host, port } = address
    // Several threads that serve share their addresses; whoever started them has seen to it that nobody else does.
    const reusePort = !isMainThread
    await bind(server, () => server.listen({ host, port, reusePort }), `${host}:${port}`)
  }
  server.on('error', (error) => options.onFault?.(error))
  const bound = server.address()
  return bound === null || typeof bound === 'string' || 'socket' in address
    ? address
    : { host: bound.address, port: bound.port }
}

async function bind(server: Server, start: () => void, shown: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      server.off('listening', done)
      const words = wordsByCode.get(error.code ?? '') ?? `the system says ${error.code}`
      reject(listenError(shown, `${words}${portHint(error)}`, error))
    }
    const done = (): void => {
      server.off('error', fail)
      resolve()
    }
    server.once('error', fail)
    server.once('listening', done)
    start()
  })
}

/** Below 1024 the system asks for more than an account. */
function portHint(error: NodeJS.ErrnoException & { readonly port?: number }): string {
  const isPrivileged = error.code === 'EACCES' && error.port !== undefined && error.port < 1024
  return isPrivileged ? ' (ports below 1024 need CAP_NET_BIND_SERVICE)' : ''
}

/** The mode is right before anybody can connect: `listen` binds a path before it returns, so the mask covers just that. */
function listenWithMode(server: Server, { socket, mode = privateMode }: UnixEndpoint): void {
  if (!isMainThread) {
    // The mask is the main thread's to set: narrow by now, so that this can only widen it.
    server.once('listening', () => chmodSync(socket, mode))
    server.listen({ path: socket })
    return
  }
  const before = process.umask(0o777 & ~mode)
  try {
    server.listen({ path: socket })
  } finally {
    process.umask(before)
  }
}

/** Removes a socket that a process left behind. Never anything else that has the name, and never one that answers. */
async function clearSocketPath(path: string): Promise<void> {
  const bytes = Buffer.byteLength(path)
  if (bytes > maxSocketPathBytes) {
    throw listenError(path, `its ${bytes} bytes exceed the ${maxSocketPathBytes} of a socket path`)
  }
  // libuv reports a missing directory as EACCES.
  await stat(dirname(path)).catch((cause: unknown) => {
    throw listenError(path, 'the directory does not exist', cause)
  })
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) return
  if (!found.isSocket()) throw listenError(path, 'a file that is no socket has that name')
  if (!(await isAbandoned(path))) throw listenError(path, 'something else listens there')
  await unlink(path).catch((cause: unknown) => {
    throw listenError(path, 'a socket left behind there cannot be removed', cause)
  })
}

/** Refused is the one proof that nobody listens. Everything else, silence included, counts as somebody. */
function isAbandoned(path: string): Promise<boolean> {
  return new Promise<boolean>((resolve) => {
    const probe = connect({ path })
    const timer = setTimeout(() => finish(false), probeMs)
    const finish = (abandoned: boolean): void => {
      clearTimeout(timer)
      probe.destroy()
      resolve(abandoned)
    }
    probe.on('error', (error: NodeJS.ErrnoException) => finish(error.code === 'ECONNREFUSED'))
    probe.once('connect', () => finish(false))
  })
}

function listenError(shown: string, words: string, cause?: unknown): PerimeterError {
  return new PerimeterError('RF_LISTEN', `cannot listen on \`${shown}\`: ${words}`, { cause })
}
