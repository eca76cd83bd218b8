import t from 'tap'
import type { ServerResponse } from 'node:http'
import { type Origin, startOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { eventually, type LogRecord, startInProcess } from '../support/ringfence.ts'
import { type Shop, type ShopRules, writeShop } from '../support/shop.ts'

/** A client whose request was ended by a reload once is held by the next reload as everybody else. */

/** What is no longer allowed ends within this. */
const endsWithinMs = 2000

interface Held {
  readonly origin: Origin
  /** Resolves when the origin is asked for what it never answers. */
  readonly asked: () => Promise<void>
}

/** `/drip` is answered for ever, `/hang` never. */
async function startOriginThatHolds(): Promise<Held> {
  let asked = Promise.withResolvers<void>()
  const drip = (response: ServerResponse): void => {
    const timer = setInterval(() => response.write('drip'), 20)
    response.once('close', () => clearInterval(timer))
  }
  const origin = await startOrigin((request, response) => {
    if (request.url === '/drip') drip(response)
    else asked.resolve()
  })
  return {
    origin,
    async asked() {
      await asked.promise
      asked = Promise.withResolvers()
    },
  }
}

/** End lines of what a reload ended, once there are so many. */
async function revoked(shop: Shop, count: number): Promise<readonly LogRecord[]> {
  return eventually(
    async () =>
      (await shop.records()).filter(
        ({ properties }) => properties.closeReason === 'policy-revoked',
      ),
    (seen) => seen.length >= count,
  )
}

interface Way {
  readonly note: string
  readonly listener: 'public' | 'egress'
  readonly settings: object
  /** From the port of the origin, which plays the outside as well. */
  readonly request: (path: string, port: number) => string
}

const lanes = [{ lane: 'relay' }, { lane: 'relay', workers: 2 }, { lane: 'library' }]

const ways: readonly Way[] = lanes.flatMap((settings) => [
  {
    note: `inbound, ${JSON.stringify(settings)}`,
    listener: 'public' as const,
    settings,
    request: (path: string) => `GET ${path} HTTP/1.1\r\nHost: orders.test\r\n\r\n`,
  },
  {
    note: `outbound, ${JSON.stringify(settings)}`,
    listener: 'egress' as const,
    settings,
    request: (path: string, port: number) =>
      `GET http://api.outside.test:${port}${path} HTTP/1.1\r\nHost: api.outside.test:${port}\r\n\r\n`,
  },
])

const open: ShopRules = { office: true, outside: ['api.outside.test'] }
const closed: ShopRules = { office: false, outside: [] }

for (const { note, listener, settings, request } of ways) {
  void t.test(`${note}: a later request ends as the first did`, async (t) => {
    const { origin, asked } = await startOriginThatHolds()
    t.teardown(() => origin.close())
    const { port } = origin
    const shop = await writeShop(t, { backendPort: port, outsidePorts: [port], settings })
    const instance = await startInProcess(t, shop)
    const client = await connectRaw({ port: instance.port(listener) })
    t.teardown(() => client.destroy())

    // Given a request that a reload ended before it was answered
    client.send(request('/hang', port))
    await asked()
    await shop.setRules(closed)
    t.match(await client.response(), { status: 403, body: '"reason":"policy-revoked"' })

    // When the rule comes back, and goes again under what the same client asked for then
    await shop.setRules({ ...open, marker: 'again' })
    await untilAllowed(instance.port(listener), request('/drip', port))
    client.send(request('/drip', port))
    await client.until('drip')
    const over = client.rest()
    const at = performance.now()
    await shop.setRules(closed)

    // Then that ends, too, and the log says why
    await over
    t.ok(performance.now() - at < endsWithinMs, `after ${Math.round(performance.now() - at)} ms`)
    t.equal((await revoked(shop, 2)).length, 2)
  })
}

/** Resolves once the policy in force lets this through. */
async function untilAllowed(port: number, request: string): Promise<void> {
  await eventually(
    async () => {
      const client = await connectRaw({ port })
      client.send(request)
      const said = await client.until('\r\n\r\n')
      client.destroy()
      return said
    },
    (said) => said.startsWith('HTTP/1.1 200'),
  )
}

void t.test('what is asked behind a request that a reload ends is held by the next', async (t) => {
  const { origin, asked } = await startOriginThatHolds()
  t.teardown(() => origin.close())
  const { port } = origin
  for (const lane of ['relay', 'library']) {
    const shop = await writeShop(t, {
      backendPort: port,
      outsidePorts: [port],
      settings: { lane },
      rules: { outside: ['api.outside.test', 'drop.outside.test'] },
    })
    const instance = await startInProcess(t, shop)
    const client = await connectRaw({ port: instance.port('egress') })
    t.teardown(() => client.destroy())
    const from = (name: string, path: string): string =>
      `GET http://${name}:${port}${path} HTTP/1.1\r\nHost: ${name}:${port}\r\n\r\n`
    client.send(from('drop.outside.test', '/hang') + from('api.outside.test', '/drip'))
    await asked()
    await shop.setRules({ outside: ['api.outside.test'] })
    t.equal((await client.response()).status, 403, lane)
    await client.until('drip')
    const over = client.rest()
    await shop.setRules({ outside: [] })
    await over
    t.equal((await revoked(shop, 2)).length, 2)
  }
})
