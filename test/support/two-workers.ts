import { subscribe } from 'node:diagnostics_channel'
import type { Worker } from 'node:worker_threads'
import type t from 'tap'
import { type Origin, startOrigin, type OriginHandler } from './origin.ts'
import { connectRaw, type RawClient } from './raw-client.ts'
import { startInProcess, type TestInstance } from './ringfence.ts'
import { type Shop, type ShopOptions, writeShop } from './shop.ts'

/** An instance whose two workers are threads of this process, within a test's reach. */

type Test = Pick<typeof t, 'teardown'>

/** Every thread of this process, in the order of their starts. */
const threads: Worker[] = []
subscribe('worker_threads', (message) => {
  // What Node publishes on this channel.
  threads.push((message as { readonly worker: Worker }).worker)
})

export interface TwoWorkers {
  readonly instance: TestInstance
  readonly shop: Shop
  readonly origin: Origin
  readonly outside: Origin
  /** Its threads that were started so far, ended ones included. */
  readonly threads: () => readonly Worker[]
}

export async function startTwoWorkers(
  t: Test,
  options: Partial<ShopOptions> & { readonly handle?: OriginHandler } = {},
): Promise<TwoWorkers> {
  const origin = await startOrigin(options.handle)
  t.teardown(() => origin.close())
  const outside = await startOrigin()
  t.teardown(() => outside.close())
  const shop = await writeShop(t, {
    backendPort: origin.port,
    outsidePorts: [outside.port],
    ...options,
    settings: { workers: 2, ...options.settings },
  })
  const before = threads.length
  const instance = await startInProcess(t, shop)
  return { instance, shop, origin, outside, threads: () => threads.slice(before) }
}

/** So many that each of two workers has some: that one gets none of 32 happens once in two billion times. */
const connectionCount = 32

/** Connections that are kept, dealt out to both workers. */
export async function connectMany(t: Test, port: number): Promise<readonly RawClient[]> {
  const clients = await Promise.all(
    Array.from({ length: connectionCount }, () => connectRaw({ port })),
  )
  t.teardown(() => {
    for (const client of clients) client.destroy()
  })
  return clients
}

export const getOrders = 'GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n'

/** Status of an answer on each of them; undefined where the connection is gone. */
export async function askAll(
  clients: readonly RawClient[],
  request = getOrders,
): Promise<readonly (number | undefined)[]> {
  return Promise.all(
    clients.map(async (client) => {
      client.send(request)
      try {
        return (await client.response()).status
      } catch {
        return undefined
      }
    }),
  )
}
