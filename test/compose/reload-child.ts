import { startRingfence } from '../../src/compose.ts'
import { collectLog } from '../support/ringfence.ts'
import { watchLoop } from '../support/watch-loop.ts'

/**
 * An instance in a process of its own that reloads when told (`reload`), and says how long its event loop stood still
 * meanwhile; or that only says so (`watch`).
 */

export interface ReloadReport {
  readonly kind: string
  readonly version: string | undefined
  readonly durationMs: number
  readonly stallMs: number
  readonly ownStallMs: number
  readonly workMs: number
  readonly residentBytes: number
}

const [configFile = '', settleMs = '100'] = process.argv.slice(2)
const log = collectLog()
const running = await startRingfence({ configFile, log })
process.on('message', (what) => void (what === 'reload' ? reload() : watch()))
process.on('disconnect', () => process.exit())
process.send?.({
  ports: running.bound.map(({ name, address }) => [name, 'port' in address ? address.port : 0]),
})

async function reload(): Promise<void> {
  const probe = watchLoop()
  const started = performance.now()
  const { kind, version } = await running.reload('test')
  const durationMs = performance.now() - started
  await settle()
  report({ kind, version, durationMs, ...probe() })
}

async function watch(): Promise<void> {
  const probe = watchLoop()
  await settle()
  report({ kind: 'watched', version: undefined, durationMs: Number(settleMs), ...probe() })
}

/** What a swap leaves behind is collected later, and counts as well. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Number(settleMs)))
}

function report(rest: Omit<ReloadReport, 'residentBytes'>): void {
  process.send?.({ ...rest, residentBytes: process.memoryUsage.rss() } satisfies ReloadReport)
}
