import { existsSync, rmSync } from 'node:fs'
import { isMainThread, workerData } from 'node:worker_threads'

/**
 * Loaded into Ringfence with `--import file:///…/hang-worker.ts?FILE`: the first worker hangs for good as soon as the file
 * is there. Whoever takes its place finds no file any more.
 */

const file = new URL(import.meta.url).search.slice(1)
const lookEveryMs = 20

function hangOnce(): void {
  if (!existsSync(file)) return
  rmSync(file)
  for (;;);
}

const given: unknown = workerData
if (!isMainThread && typeof given === 'object' && given !== null && 'index' in given) {
  if (given.index === 0) setInterval(hangOnce, lookEveryMs).unref()
}
