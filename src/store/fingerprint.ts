import { createHash } from 'node:crypto'
import { createReadStream, promises as fs } from 'node:fs'
import { maxDocumentBytes } from '../documents/read-text.ts'
import { KiB, seconds } from '../units.ts'

/** What tells one state of a set of files from another: their names and contents, not their times. */
export interface Fingerprints {
  /**
   * A file that cannot be read has a value of its own: its loss is a change. A directory counts by the names in it.
   * Never rejects.
   */
  of(files: readonly string[]): Promise<string>
}

/**
 * Within this time of its last change a file may change again without its times showing it, so what was read is not
 * trusted to be what is there. Coarse file systems count in seconds.
 */
const settledAfterMs = seconds(2)
const unreadable = 'unreadable'
const pieceBytes = 256 * KiB

/** Remembers digests, so that a poll of large files that rest costs one `stat` each. */
export function createFingerprints(): Fingerprints {
  let known = new Map<string, { readonly stats: string; readonly digest: string }>()
  return {
    async of(files) {
      const next: typeof known = new Map()
      const digest = createHash('sha256')
      for (const file of files) {
        const own = await digestOf(file, next)
        digest.update(`${file}\0${own}\0`)
      }
      known = next
      return digest.digest('base64')
    },
  }

  async function digestOf(file: string, next: typeof known): Promise<string> {
    const stats = await fs.stat(file, { bigint: true }).catch(() => undefined)
    if (stats === undefined) return unreadable
    const key = `${stats.dev}:${stats.ino}:${stats.size}:${stats.ctimeNs}:${stats.mtimeNs}`
    if (stats.isDirectory()) return namesIn(file)
    // A named pipe would never end, and nothing so large is ever loaded.
    if (!stats.isFile() || stats.size > maxDocumentBytes) return key
    const before = known.get(file)
    const digest = before?.stats === key ? before.digest : await digestOfContent(file)
    if (Date.now() - Number(stats.ctimeMs) > settledAfterMs) next.set(file, { stats: key, digest })
    return digest
  }
}

async function digestOfContent(file: string): Promise<string> {
  const digest = createHash('sha256')
  try {
    // Piece by piece: 32 MiB in one would keep every request waiting for 20 to 100 ms.
    for await (const piece of createReadStream(file, { highWaterMark: pieceBytes })) {
      digest.update(piece)
    }
  } catch {
    return unreadable
  }
  return digest.digest('base64')
}

/** What a pattern could find there: hidden names are never meant. */
async function namesIn(directory: string): Promise<string> {
  const names = await fs.readdir(directory).catch((): string[] => [])
  return names
    .filter((name) => !name.startsWith('.'))
    .toSorted()
    .join('/')
}
