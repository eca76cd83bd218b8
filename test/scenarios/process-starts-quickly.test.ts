import t from 'tap'
import { startChild, writeConfiguration } from '../support/ringfence.ts'
import { shopPerimeter, shopSettings } from '../support/shop.ts'

/** On a quiet machine; whoever is busy gets three rounds, and the best counts. */
const readyWithinMs = 300
const startsPerRound = 5
const rounds = 3

void t.test('ringfence run is ready in under 300 ms', async (t) => {
  const files = await writeConfiguration(t, {
    settings: shopSettings({ backendPort: 1 }),
    perimeters: { shop: shopPerimeter({}) },
  })
  const medians: number[] = []
  const start = async (): Promise<number> => {
    const instance = await startChild(t, files)
    const said = /^ready in (\d+) ms/m.exec(instance.stderr())?.[1]
    instance.child.kill('SIGTERM')
    await instance.exited
    return Number(said)
  }
  await start() // fills the compile cache
  for (let round = 0; round < rounds; round++) {
    const times: number[] = []
    for (let count = 0; count < startsPerRound; count++) times.push(await start())
    times.sort((a, b) => a - b)
    medians.push(times[Math.floor(startsPerRound / 2)] ?? Infinity)
    if (Math.min(...medians) < readyWithinMs) break
  }
  t.ok(Math.min(...medians) < readyWithinMs, `medians: ${medians.join(', ')} ms`)
})
