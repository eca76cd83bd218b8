import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import t from 'tap'
import { connectRaw, exchangeRaw } from '../support/raw-client.ts'
import {
  eventually,
  perimeterDocument,
  startInProcess,
  type TestInstance,
  writeConfiguration,
} from '../support/ringfence.ts'
import { laneUnderTest } from '../support/settings-parts.ts'
import { upgradeRequest } from '../support/web-socket.ts'

/**
 * A workload that asks its egress for a listener of this very instance: directly, by name, by every address of this
 * machine. The resource is Learning, so that nothing but the guard stands in the way, and ranges are granted.
 */

const interfaceAddresses = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .filter(({ address }) => !address.startsWith('fe80'))
  .map(({ address }) => address)

const local = [...new Set([...interfaceAddresses, '127.0.0.1', '::1'])]
const always = ['127.9.9.9', '0.0.0.0', '::', '::ffff:127.0.0.1', '::ffff:0.0.0.0', '::127.0.0.1']

async function startInstance(
  t: Parameters<typeof startInProcess>[0],
  workers: number,
): Promise<TestInstance> {
  const everywhere = { host: '::', port: 0 }
  const files = await writeConfiguration(t, {
    settings: {
      lane: laneUnderTest,
      workers,
      resources: [{ id: 'orders', hosts: ['orders.test'], backend: 'http://127.0.0.1:1' }],
      inbound: [{ name: 'public', listen: everywhere }],
      outbound: [
        { name: 'egress', listen: { host: '127.0.0.1', port: 0 }, resource: 'orders' },
        { name: 'wide', listen: everywhere, resource: 'orders', clients: ['192.0.2.0/24'] },
      ],
      health: { listen: everywhere },
      egress: {
        ports: [],
        hosts: { 'self.example': local },
        privateAddresses: {
          'self.example': ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
        },
      },
    },
    perimeters: {
      shop: perimeterDocument('shop', {
        profiles: [{ name: 'web', accessRules: [] }],
        resourceAssociations: [
          { name: 'orders', privateLinkResource: { id: 'orders' }, profile: { id: 'web' } },
        ],
      }),
    },
  })
  return startInProcess(t, files)
}

/** The egress itself is on loopback only, where no range is granted: the name leads to nobody there. */
const listeners = [
  { name: 'public', hosts: ['self.example', ...local, ...always] },
  { name: 'wide', hosts: ['self.example', ...local, ...always] },
  { name: 'health', hosts: ['self.example', ...local, ...always] },
  { name: 'egress', hosts: ['127.0.0.1', '::ffff:127.0.0.1', ...always] },
]

void t.test('No listener of this instance is reached by its own egress', async (t) => {
  for (const workers of [1, 2]) {
    const instance = await startInstance(t, workers)
    const port = instance.port('egress')
    let asked = 0
    for (const { name, hosts } of listeners) {
      for (const host of hosts.map(bracketed)) {
        const authority = `${host}:${instance.port(name)}`
        const ways = [
          `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
          `GET http://${authority}/livez HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
          upgradeRequest(authority).replace('GET /', `GET http://${authority}/`),
        ]
        for (const bytes of ways) {
          asked++
          const { status, body } = await exchangeRaw({ port }, bytes)
          t.ok(status === 508 || status === 403, `${name}: ${bytes.slice(0, 40)} ${status}`)
          t.match(body, /"reason":"(?:loop|address-not-public)"/)
        }
      }
    }
    const records = await eventually(
      () => instance.records(),
      (seen) => seen.length >= asked,
    )
    t.equal(records.length, asked, 'and nothing came in')
    const isOutbound = records.every(({ properties }) => properties.resultDirection === 'Outbound')
    t.ok(isOutbound)
  }
})

void t.test('It says that it is itself, where a range would have let it through', async (t) => {
  const [own] = interfaceAddresses.filter((address) => /^(?:10|172|192)\./.test(address))
  const instance = await startInstance(t, 1)
  const client = await connectRaw({ port: instance.port('egress') })
  const authority = `${own ?? '127.0.0.1'}:${instance.port('health')}`
  client.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
  const { status, body } = await client.response()
  client.destroy()
  t.equal(status, 508)
  t.match(body, /"reason":"loop"/)
})

function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host
}
