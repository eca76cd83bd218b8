import t from 'tap'
import { startRawOrigin } from '../support/origin.ts'
import { connectRaw, type RawClient } from '../support/raw-client.ts'
import { eventually } from '../support/ringfence.ts'
import { startTwoWorkers } from '../support/two-workers.ts'

void t.test(
  'TCP connections are shared by two workers, with one limit and one policy',
  async (t) => {
    const origin = await startRawOrigin({ onData: (socket) => void socket.write('heard\n') })
    t.teardown(() => origin.close())
    const limit = 9
    const { instance, shop } = await startTwoWorkers(t, {
      settings: {
        resources: [
          { id: 'orders', hosts: ['orders.test'], backend: `tcp://${origin.authority}` },
          { id: 'vault' },
        ],
        inbound: [{ name: 'books', listen: { host: '127.0.0.1', port: 0 }, resource: 'orders' }],
        limits: { tunnelsPerResource: limit },
      },
    })
    const isServed = async (client: RawClient): Promise<boolean> => {
      client.send('hello')
      return client.until('\n').then(
        () => true,
        () => false,
      )
    }
    const served: RawClient[] = []
    // One after the other: of two that ask for the last slot at the same moment none may get it.
    for (let count = 0; count < 32; count++) {
      const client = await connectRaw({ port: instance.port('books') })
      t.teardown(() => client.destroy())
      if (await isServed(client)) served.push(client)
    }
    t.equal(served.length, limit)
    t.equal(origin.accepted(), limit)

    await shop.setRules({ office: false })
    await instance.running.reload('test')
    for (const client of served) t.equal((await client.rest()).how, 'reset')
    await eventually(
      () => origin.sockets.size,
      (open) => open === 0,
    )

    // What they had is free again.
    await shop.setRules({ office: true })
    await instance.running.reload('test')
    const again = await connectRaw({ port: instance.port('books') })
    t.teardown(() => again.destroy())
    t.equal(await isServed(again), true)
  },
)
