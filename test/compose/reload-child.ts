import { startRingfence } from '../../src/compose.ts'
import { collectLog } from '../support/ringfence.ts'
import { watchLoop } from '../support/watch-loop.ts'

/** An instance in a process of its own that reloads when told, and says how long its event loop stood still meanwhile. */

export interface ReloadReport {
  readonly kind: string
  readonly version: string | undefined
  readonly durationMs: number
  readonly stallMs: number
  readonly ownStallMs: number
  readonly workMs: number
  readonly residentBytes: number
}

const [configFile = ''] = process.argv.slice(2)
const log = collectLog()
const running = await startRingfence({ configFile, log })
process.on('message', () => void reload())
process.on('disconnect', () => process.exit())
process.send?.({
  ports: running.bound.map(({ name, address }) => [name, 'port' in address ? address.port : 0]),
  residentBytes: process.memoryUsage.rss(),
})

async function reload(): Promise<void> {
  const probe = watchLoop()
  const started = performance.now()
  const { kind, version } = await running.reload('test')
  const durationMs = performance.now() - started
  // What a swap leaves behind is collected later, and counts as well.
  await new Promise((resolve) => setTimeout(resolve, 100))
  const residentBytes = process.memoryUsage.rss()
  process.send?.({ kind, version, durationMs, ...probe(), residentBytes } satisfies ReloadReport)
}
