import { Agent, request } from 'node:http'
import t from 'tap'
import { startInProcess } from '../support/ringfence.ts'
import { startOrigin } from '../support/origin.ts'
import { writeShop } from '../support/shop.ts'

const reloads = 50
const clients = 8

void t.test('fifty reloads under constant load lose no allowed request', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const shop = await writeShop(t, { backendPort: origin.port })
  const instance = await startInProcess(t, shop)
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  t.teardown(() => agent.destroy())
  const statuses = new Map<string, number>()
  let loading = true
  const load = Array.from({ length: clients }, async () => {
    while (loading) {
      const outcome = await get(agent, instance.port('public'))
      statuses.set(outcome, (statuses.get(outcome) ?? 0) + 1)
    }
  })
  const versions = new Set<string>()
  for (let count = 0; count < reloads; count++) {
    await shop.setRules({ marker: String(count) })
    const outcome = await instance.running.reload('test')
    if (outcome.version !== undefined) versions.add(outcome.version)
  }
  loading = false
  await Promise.all(load)

  t.equal(versions.size, reloads, 'each was another policy')
  t.strictSame([...statuses.keys()], ['200'], JSON.stringify(Object.fromEntries(statuses)))
  t.ok((statuses.get('200') ?? 0) > reloads, 'there was load')
})

async function get(agent: Agent, port: number): Promise<string> {
  return new Promise((resolve) => {
    const outgoing = request(
      { agent, port, host: '127.0.0.1', path: '/', headers: { host: 'orders.test' } },
      (response) => {
        response.on('error', (error) => resolve(error.message))
        response.on('end', () => resolve(String(response.statusCode)))
        response.resume()
      },
    )
    outgoing.on('error', (error) => resolve(error.message))
    outgoing.end()
  })
}
