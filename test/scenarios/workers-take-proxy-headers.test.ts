import t from 'tap'
import { linkIdTlv, version2Header } from '../support/proxy-header.ts'
import { connectRaw, type RawClient } from '../support/raw-client.ts'
import { eventually } from '../support/ringfence.ts'
import { askAll, getOrders, startTwoWorkers } from '../support/two-workers.ts'

void t.test('private endpoints hold in every worker, and a reload judges them again', async (t) => {
  const { instance, shop, origin } = await startTwoWorkers(t, {
    rules: { office: false },
    settings: {
      inbound: [
        {
          name: 'public',
          listen: { host: '127.0.0.1', port: 0 },
          proxyProtocol: { trustedPrefixes: ['127.0.0.0/8'] },
        },
      ],
    },
  })
  const setStatus = (status: string): Promise<void> =>
    shop.setSettings({
      resources: [
        {
          id: 'orders',
          hosts: ['orders.test'],
          backend: origin.url,
          privateEndpoints: [{ linkId: 7, name: 'partner', status }],
        },
        { id: 'vault', hosts: ['vault.test'], backend: origin.url },
      ],
    })
  const opening = version2Header({ tlvs: [linkIdTlv(7)] })
  const connectAll = async (): Promise<readonly RawClient[]> =>
    Promise.all(
      Array.from({ length: 16 }, async () => {
        const client = await connectRaw({ port: instance.port('public') })
        t.teardown(() => client.destroy())
        client.send(opening)
        return client
      }),
    )

  t.strictSame(new Set(await askAll(await connectAll())), new Set([403]), 'nobody approved it yet')
  await setStatus('Approved')
  await instance.running.reload('test')
  const clients = await connectAll()
  t.strictSame(new Set(await askAll(clients)), new Set([200]))
  await setStatus('Rejected')
  await instance.running.reload('test')
  t.strictSame(new Set(await askAll(clients)), new Set([403]), 'known connections are no exception')
  const plain = await connectRaw({ port: instance.port('public') })
  t.teardown(() => plain.destroy())
  plain.send(getOrders)
  t.equal((await plain.rest()).text, '')
  await eventually(
    async () => (await shop.records()).map(({ properties }) => properties.reason),
    (reasons) => reasons.includes('bad-request'),
  )
})
