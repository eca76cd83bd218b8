import { type FSWatcher, promises as fs, watch as watchDirectory } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { seconds } from '../units.ts'
import { findFiles } from './find-files.ts'
import { createFingerprints } from './fingerprint.ts'

/**
 * Notices that files have changed. It watches the *directories* of the files: a watch on a file goes deaf after an
 * editor's rename or a Kubernetes ConfigMap swap. An event only says "look": what counts is the content, so a touched
 * file is no change and an event that never came is made good by a poll.
 */

export interface Watch {
  /**
   * Sets what is watched: files, directories and patterns (`find-files.ts`), absolute. `readSince` is when reading them
   * began (milliseconds since the epoch): what has changed since then is reported as a change.
   */
  setPaths(paths: readonly string[], readSince: number): Promise<void>
  /**
   * Declares what the files hold now as seen. Call it before reading them again: a change in between is then seen as a
   * change once more, never missed.
   */
  mark(): Promise<void>
  close(): void
}

export interface WatchOptions {
  /** Something differs from what was seen last. Not called again before the next difference. */
  readonly onChange: () => void
  /** The watch itself failed (too many watches, no permission); the poll goes on. */
  readonly onProblem?: (error: unknown) => void
  readonly debounceMs?: number
  readonly pollMs?: number
  /** While something is missing or was just made again. */
  readonly quickPollMs?: number
}

const defaultDebounceMs = 100
const defaultPollMs = seconds(1)
const slowestPollMs = seconds(5)
/** While something is missing or was just made again: its return may have come before its watch. */
const quickPollMs = 250
/** How long after a directory was made again. */
const quickForMs = seconds(2)
/** A directory that never rests is looked at all the same. */
const longestDebounceMs = seconds(1)

/** Starts with no paths. Timers do not keep the process alive. */
export function createWatch(options: WatchOptions): Watch {
  const debounceMs = options.debounceMs ?? defaultDebounceMs
  const watchers = new Map<string, { readonly watcher: FSWatcher; readonly identity: string }>()
  const fingerprints = createFingerprints()
  /** Directories whose failure was told: every poll tries them again. */
  const unwatchable = new Set<string>()
  let paths: readonly string[] = []
  /** Names of the watched files, without their folders. */
  let names = new Set<string>()
  let seen = ''
  let closed = false
  let debounce: NodeJS.Timeout | undefined
  let firstEventAt: number | undefined
  const quickEveryMs = options.quickPollMs ?? quickPollMs
  let quick: NodeJS.Timeout | undefined
  let quickUntil = 0
  let looking: Promise<void> = Promise.resolve()
  const pollMs = options.pollMs ?? defaultPollMs
  let lookMs = 0
  let poll = pollLater()

  return {
    setPaths(next, readSince) {
      if (isSame(next, paths)) return Promise.resolve()
      paths = next
      return serially(async () => {
        await remember()
        if (!(await haveChangedSince(await filesOf(paths), readSince))) return
        seen = ''
        void look()
      })
    },
    mark: () => serially(remember),
    close() {
      closed = true
      clearTimeout(poll)
      clearTimeout(debounce)
      clearTimeout(quick)
      for (const { watcher } of watchers.values()) watcher.close()
      watchers.clear()
    },
  }

  /** One at a time: a look that began before `mark` must not report what `mark` has declared as seen. */
  function serially(step: () => Promise<void>): Promise<void> {
    looking = looking.then(step).catch((error: unknown) => options.onProblem?.(error))
    return looking
  }

  async function remember(): Promise<void> {
    await followDirectories()
    seen = await readAll()
  }

  /** Many files take their time: a poll may have a fiftieth of it, and comes every `slowestPollMs` whatever it takes. */
  function pollLater(): NodeJS.Timeout {
    const delayMs = Math.max(pollMs, Math.min(lookMs * 50, slowestPollMs))
    const timer = setTimeout(() => {
      void look().finally(() => {
        if (!closed) poll = pollLater()
      })
    }, delayMs)
    return timer.unref()
  }

  function look(): Promise<void> {
    return serially(async () => {
      if (closed) return
      const began = performance.now()
      await followDirectories()
      const now = await readAll()
      lookMs = performance.now() - began
      if (closed || now === seen) return
      seen = now
      options.onChange()
    })
  }

  async function readAll(): Promise<string> {
    const files = await filesOf(paths)
    names = new Set(files.map((file) => basename(file)))
    return fingerprints.of(files)
  }

  function onEvent(kind: string, name: string | null): void {
    // A log that grows in the same directory is none of our business; new names and renames are.
    if (closed || (kind === 'change' && name !== null && !names.has(name))) return
    firstEventAt ??= performance.now()
    const waitedMs = performance.now() - firstEventAt
    clearTimeout(debounce)
    debounce = setTimeout(
      () => {
        firstEventAt = undefined
        void look()
      },
      Math.min(debounceMs, Math.max(0, longestDebounceMs - waitedMs)),
    )
    debounce.unref()
  }

  /** Opens and closes watches so that each directory that matters, or what is left of its path, is watched. */
  async function followDirectories(): Promise<void> {
    const { directories: wanted, isMissing } = await directoriesOf(paths)
    for (const [directory, { watcher, identity }] of watchers) {
      // A directory that was removed and made again has the same name, and the watch is on the old one.
      if (wanted.get(directory) === identity) continue
      quickUntil = performance.now() + quickForMs
      watcher.close()
      watchers.delete(directory)
    }
    for (const [directory, identity] of wanted) {
      if (closed || watchers.has(directory)) continue
      try {
        const watcher = watchDirectory(directory, { persistent: false }, onEvent)
        unwatchable.delete(directory)
        watcher.on('error', (error) => {
          options.onProblem?.(error)
          watcher.close()
          watchers.delete(directory)
        })
        watchers.set(directory, { watcher, identity })
      } catch (error) {
        if (!unwatchable.has(directory)) options.onProblem?.(error)
        unwatchable.add(directory)
      }
    }
    if (isMissing || performance.now() < quickUntil) lookAgainSoon()
  }

  function lookAgainSoon(): void {
    if (closed) return
    clearTimeout(quick)
    const delayMs = Math.min(
      Math.max(quickEveryMs, lookMs * 10),
      Math.max(quickEveryMs, seconds(1)),
    )
    quick = setTimeout(() => void look(), delayMs)
    quick.unref()
  }
}

interface WatchedDirectories {
  /** Each with what tells it from another of the same name. */
  readonly directories: Map<string, string>
  /** Something that is watched, or its directory, is not there. */
  readonly isMissing: boolean
}

async function directoriesOf(paths: readonly string[]): Promise<WatchedDirectories> {
  const directories = new Map<string, string>()
  const found = await Promise.all(paths.map((path) => findFiles(path, '/')))
  let isMissing = false
  for (const path of found.flatMap(({ directories: looked }) => looked)) {
    if (!(await addExisting(directories, path))) isMissing = true
  }
  for (const path of found.flatMap(({ files }) => files)) {
    if (!(await addExisting(directories, path, { isFile: true }))) isMissing = true
    // A symbolic link may lead to a file that is edited in place elsewhere.
    const real = await fs.realpath(path).catch(() => undefined)
    if (real === undefined) isMissing = true
    else await addExisting(directories, dirname(real))
  }
  return { directories, isMissing }
}

/**
 * Adds the path if it is a directory, or the nearest one above it that exists: there its return will show. Says whether
 * that was the one to watch.
 */
async function addExisting(
  directories: Map<string, string>,
  directory: string,
  options: { readonly isFile?: boolean } = {},
): Promise<boolean> {
  const nearest = options.isFile === true ? dirname(directory) : directory
  for (let current = directory; ; current = dirname(current)) {
    const isNear = current === directory || current === nearest
    if (directories.has(current)) return isNear
    const stats = await fs.stat(current).catch(() => undefined)
    if (stats?.isDirectory() === true) {
      // A directory that is made again may get the inode of the old one.
      directories.set(current, `${stats.dev}:${stats.ino}:${stats.birthtimeMs}`)
      return isNear
    }
    if (current === dirname(current)) return false
  }
}

async function filesOf(paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(paths.map((path) => findFiles(path, '/')))
  return found.flatMap(({ files }) => files)
}

function isSame(first: readonly string[], second: readonly string[]): boolean {
  return first.length === second.length && first.every((path, index) => path === second[index])
}

/** The clock of a file system may be this much behind (a tick of the kernel). */
const clockSlackMs = 10

/** By their times, which is all there is for files that were read before they were watched. */
async function haveChangedSince(files: readonly string[], since: number): Promise<boolean> {
  for (const file of files) {
    const times = await Promise.all([
      fs.stat(file).catch(() => undefined),
      fs.lstat(file).catch(() => undefined),
      // A ConfigMap is swapped by renaming this link; the files behind it may be older.
      fs.lstat(join(dirname(file), '..data')).catch(() => undefined),
    ])
    if (times.some((stats) => (stats?.ctimeMs ?? 0) > since - clockSlackMs)) return true
  }
  return false
}
