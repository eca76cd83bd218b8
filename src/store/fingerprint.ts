import { createHash } from 'node:crypto'
import { promises as fs } from 'node:fs'
import { seconds } from '../units.ts'

/** What tells one state of a set of files from another: their names and contents, not their times. */
export interface Fingerprints {
  /** A file that cannot be read has a value of its own: its loss is a change. Never rejects. */
  of(files: readonly string[]): Promise<string>
}

/**
 * Within this time of its last change a file may change again without its times showing it, so what was read is not
 * trusted to be what is there. Coarse file systems count in seconds.
 */
const settledAfterMs = seconds(2)
const unreadable = 'unreadable'

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
    const before = known.get(file)
    const content = before?.stats === key ? undefined : await fs.readFile(file).catch(() => null)
    if (content === null) return unreadable
    const digest =
      content === undefined
        ? (before?.digest ?? unreadable)
        : createHash('sha256').update(content).digest('base64')
    if (Date.now() - Number(stats.ctimeMs) > settledAfterMs) next.set(file, { stats: key, digest })
    return digest
  }
}
