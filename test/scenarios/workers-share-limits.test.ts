import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { createServer } from 'node:net'
import t from 'tap'
import { createAuthority } from '../support/certificates.ts'
import { ask } from '../support/http-get.ts'
import { holdPipe } from '../support/held-pipe.ts'
import { connectRaw } from '../support/raw-client.ts'
import { eventually } from '../support/ringfence.ts'
import { askAll, connectMany, startTwoWorkers } from '../support/two-workers.ts'

void t.test('what a resource may have open holds for both workers together', async (t) => {
  const silent = createServer((socket) => socket.on('error', () => undefined))
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const address = silent.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const limit = 9
  const { instance, threads } = await startTwoWorkers(t, {
    outsidePorts: [address.port],
    settings: { limits: { tunnelsPerResource: limit } },
  })
  const authority = `api.outside.test:${address.port}`
  const open = async (): Promise<number> => {
    const client = await connectRaw({ port: instance.port('egress') })
    t.teardown(() => client.destroy())
    client.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
    return (await client.response({ bodyless: true })).status
  }
  const statuses: number[] = []
  for (let count = 0; count < 24; count++) statuses.push(await open())
  t.equal(statuses.filter((status) => status === 200).length, limit)
  t.equal(statuses.filter((status) => status === 503).length, 24 - limit)

  // When one of them ends, what it had open is free
  await threads()[0]?.terminate()
  const freed = await eventually(open, (status) => status === 200)
  t.equal(freed, 200)
})

void t.test('a client resumes its TLS session with whichever worker it meets', async (t) => {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const { certificateFile, keyFile } = authority.issue('orders.test')
  const { instance } = await startTwoWorkers(t, {
    settings: {
      inbound: [
        {
          name: 'public',
          listen: { host: '127.0.0.1', port: 0 },
          tls: { certificateFile, keyFile },
        },
      ],
    },
  })
  const meet = async (session?: Buffer): Promise<{ session: Buffer; isReused: boolean }> => {
    const socket: TLSSocket = connect({
      host: '127.0.0.1',
      port: instance.port('public'),
      ca: authority.ca,
      servername: 'orders.test',
      maxVersion: 'TLSv1.2',
      ...(session === undefined ? {} : { session }),
    })
    await once(socket, 'secureConnect')
    const isReused = socket.isSessionReused()
    const next = socket.getSession()
    socket.destroy()
    if (next === undefined) throw new Error('no session')
    return { session: next, isReused }
  }
  const first = await meet()
  t.equal(first.isReused, false)
  for (let count = 0; count < 16; count++) {
    t.equal((await meet(first.session)).isReused, true)
  }
})

void t.test(
  'a full access log blocks new work in both workers, and lets it on in both',
  async (t) => {
    const { instance, pipe } = await startWithPipe(t)
    let statuses: readonly (number | undefined)[] = [undefined]
    for (let round = 0; round < 20 && !statuses.every((one) => one === 503); round++) {
      statuses = await askAll(await connectMany(t, instance.port('public')))
    }
    t.same(new Set(statuses), new Set([503]))
    t.equal((await ask({ port: instance.port('health'), path: '/readyz' })).status, 503)
    await eventually(
      () => {
        pipe.read()
        return instance.running.status().accessLog.state
      },
      (state) => state === 'written',
    )
    t.same(new Set(await askAll(await connectMany(t, instance.port('public')))), new Set([200]))
  },
)

async function startWithPipe(t: Parameters<typeof startTwoWorkers>[0]) {
  const pipe = holdPipe(t)
  const settings = { audit: { file: pipe.path, flushIntervalMs: 5, bufferBytes: 65_536 } }
  return { ...(await startTwoWorkers(t, { settings })), pipe }
}
