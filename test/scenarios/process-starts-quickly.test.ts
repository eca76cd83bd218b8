import { readFile } from 'node:fs/promises'
import t from 'tap'
import { startChild, writeConfiguration } from '../support/ringfence.ts'
import { shopPerimeter, shopSettings } from '../support/shop.ts'

/** On a quiet machine. Tests run beside others, so time in which others had the processor is left out. */
const readyWithinMs = 300
const startsPerRound = 5
/** The best counts: what slows a round down on a busy machine is not only waiting. */
const rounds = 3

/** How long the main thread was ready to run and did not (Linux, proc(5) `schedstat`); elsewhere unknown, so 0. */
async function waitedMs(pid: number | undefined): Promise<number> {
  const text = await readFile(`/proc/${pid}/schedstat`, 'utf8').catch(() => '')
  const nanoseconds = Number(text.split(' ')[1] ?? 0)
  return nanoseconds / 1e6
}

void t.test('ringfence run is ready in under 300 ms', async (t) => {
  const files = await writeConfiguration(t, {
    settings: shopSettings({ backendPort: 1 }),
    perimeters: { shop: shopPerimeter({}) },
  })
  const medians: number[] = []
  const start = async (): Promise<number> => {
    const instance = await startChild(t, files)
    const waited = await waitedMs(instance.child.pid)
    const said = /^ready in (\d+) ms/m.exec(instance.stderr())?.[1]
    instance.child.kill('SIGTERM')
    await instance.exited
    return Number(said) - waited
  }
  await start() // fills the compile cache
  for (let round = 0; round < rounds; round++) {
    const times: number[] = []
    for (let count = 0; count < startsPerRound; count++) times.push(await start())
    times.sort((a, b) => a - b)
    medians.push(times[Math.floor(startsPerRound / 2)] ?? Infinity)
    if (Math.min(...medians) < readyWithinMs) break
  }
  const best = Math.min(...medians)
  t.ok(best < readyWithinMs, `medians: ${medians.map(Math.round).join(', ')} ms`)
})
