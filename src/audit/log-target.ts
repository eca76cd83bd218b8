import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { Socket } from 'node:net'

/**
 * Opening what a log is written to, so that writing to it can never block a thread: a thread of Node's pool that waits
 * for a pipe nobody reads would even keep the process from exiting.
 */

/** Standard streams, as settings name them. */
export type LogTarget = string | { readonly standardStream: 1 | 2 }

export interface OpenTarget {
  readonly fd: number
  /** False for a standard stream's own descriptor, which is not ours to close. */
  readonly owned: boolean
  /** The last line has no end: somebody died while writing it. What is written next begins a line of its own. */
  readonly torn: boolean
}

/** The owner writes, the group (whoever ships the log) reads. */
const logMode = 0o640

const lineFeed = 0x0a

const wordsByCode: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'its directory does not exist'],
  ['ENOTDIR', 'a part of its path is no directory'],
  ['EISDIR', 'it is a directory'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['EROFS', 'the file system is read-only'],
  ['ENXIO', 'nobody reads the named pipe'],
  ['ELOOP', 'it is a symbolic link that leads to itself'],
])

/** Why `openTarget` threw, in the end of a sentence. */
export function describeOpenError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  return wordsByCode.get(code) ?? `the system says ${code}`
}

/** Opens for appending; throws what `open` throws. A named pipe must have a reader already. */
export function openTarget(target: LogTarget): OpenTarget {
  if (typeof target !== 'string') return openStandardStream(target.standardStream)
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK
  const fd = openSync(target, flags, logMode)
  return { fd, owned: true, torn: isTorn(target, fd) }
}

/** Keep what sets the flag: collected as garbage, it would close the stream. */
const keptSockets: Socket[] = []

/**
 * A pipe or a terminal is opened once more, non-blocking: setting the flag on the descriptor that we got would set it
 * for every process that shares it. A socket (systemd, a parent in Node), or a pipe of another user, cannot be opened
 * again and gets the flag by way of a handle that is not used otherwise.
 */
function openStandardStream(fd: 1 | 2): OpenTarget {
  try {
    const kind = fstatSync(fd)
    if (kind.isFIFO() || kind.isCharacterDevice()) return reopenStandardStream(fd)
    if (kind.isSocket()) setNonBlocking(fd)
  } catch {
    // There is no such stream: writing to it says so.
  }
  return { fd, owned: false, torn: false }
}

function reopenStandardStream(fd: 1 | 2): OpenTarget {
  try {
    const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY
    return { fd: openSync(`/proc/self/fd/${fd}`, flags), owned: true, torn: false }
  } catch {
    setNonBlocking(fd)
    return { fd, owned: false, torn: false }
  }
}

function setNonBlocking(fd: 1 | 2): void {
  const socket = new Socket({ fd, readable: false })
  socket.on('error', () => undefined)
  keptSockets.push(socket)
}

/** Best effort: what may not be read is taken to be whole. */
function isTorn(path: string, fd: number): boolean {
  const { size } = fstatSync(fd)
  if (size === 0 || !fstatSync(fd).isFile()) return false
  let reader: number | undefined
  try {
    reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const last = Buffer.alloc(1)
    return readSync(reader, last, 0, 1, size - 1) === 1 && last[0] !== lineFeed
  } catch {
    return false
  } finally {
    if (reader !== undefined) closeSync(reader)
  }
}
