import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { openShop, startInbound } from './inbound-world.ts'
import { startOrigin } from './origin.ts'
import { connectRaw } from './raw-client.ts'

/**
 * A process of its own, for a test runner's hooks keep things alive too: prints the bytes for each request that small
 * collections leave in the old generation, after as many requests as it takes the engine to have compiled everything.
 */
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (options?: { readonly type: 'minor' }) => void

function oldSpaceBytes(): number {
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space')
  return space?.space_used_size ?? 0
}

const origin = await startOrigin()
const world = await startInbound({ teardown: () => {} }, openShop(origin.url))
const clients = await Promise.all(Array.from({ length: 16 }, async () => connectRaw(world)))

async function askAll(): Promise<void> {
  for (const client of clients) client.send('GET / HTTP/1.1\r\nHost: orders.test\r\nX-A: b\r\n\r\n')
  for (const client of clients) await client.response()
  world.forget()
  origin.forget()
}

for (let round = 0; round < 200; round++) await askAll()
collect()
const before = oldSpaceBytes()
const rounds = 60
for (let round = 0; round < rounds; round++) {
  await askAll()
  if (round % 3 === 0) collect({ type: 'minor' })
}
process.stdout.write(`${Math.round((oldSpaceBytes() - before) / rounds / clients.length)}\n`)
process.exit(0)
