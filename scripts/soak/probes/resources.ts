import { renameSync, writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

/** Runs inside Ringfence (`node --import`) and says twice a second what keeps its event loop alive, by kind. */

const everyMs = 500

if (isMainThread) {
  setInterval(() => {
    const counts: Record<string, number> = {}
    for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
    writeFileSync('resources.new', JSON.stringify(counts))
    renameSync('resources.new', 'resources')
  }, everyMs).unref()
}
