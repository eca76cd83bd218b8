import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type tap from 'tap'

/** A named pipe with a reader that does not read until it is told to. */
export interface HeldPipe {
  readonly path: string
  /** All that is there now. */
  read(): string
}

export function holdPipe(t: Pick<typeof tap, 'teardown'>): HeldPipe {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-'))
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  t.teardown(() => {
    closeSync(fd)
    rmSync(folder, { recursive: true })
  })
  const chunk = Buffer.alloc(65_536)
  return {
    path,
    read() {
      let text = ''
      for (;;) {
        try {
          const count = readSync(fd, chunk)
          if (count === 0) return text
          text += chunk.toString('latin1', 0, count)
        } catch {
          return text
        }
      }
    },
  }
}
