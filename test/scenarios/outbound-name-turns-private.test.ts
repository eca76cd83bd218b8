import t, { type Test } from 'tap'
import { type Resolver, createResolver } from '../../src/transport/resolve.ts'
import type { DialRequest } from '../../src/transport/dial.ts'
import { enforced, type ProxyFixture, startProxy } from '../outbound/proxy-fixture.ts'
import { type Answer, type DnsRecord, startDnsServer } from '../support/dns-server.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { address, hostname, type InForceParts } from '../support/settings-parts.ts'
import { echoFrames, upgradeRequest } from '../support/web-socket.ts'

/**
 * DNS rebinding (threats: a name that is public while it is judged and private when it is dialled): a rule allows the
 * name, and whoever runs its DNS wants to get in. Only addresses that were judged are dialled, and on each dial.
 */

/** Stand for public addresses; connections to them end at the origin. */
const publicAddress = '20.0.0.1'
const publicAddresses = [publicAddress, '64:ff9b::1400:1']
const name = 'turns.example'

interface Site {
  readonly origin: Origin
  readonly proxy: ProxyFixture
  /** Sends one request and gives the status. */
  readonly ask: (path: Path) => Promise<number>
}

type Path = 'CONNECT' | 'absolute-form' | 'upgrade'
const paths: readonly Path[] = ['CONNECT', 'absolute-form', 'upgrade']

interface SiteOptions {
  /** Answers to the first look-up, the second and so on; the last one stays. */
  readonly answers: readonly (readonly DnsRecord[])[]
  readonly egress?: InForceParts['egress']
  readonly isUnreachable?: boolean
  readonly keepsAlive?: boolean
}

const firstGone = 2

async function startSite(t: Test, options: SiteOptions): Promise<Site> {
  const { answers, egress = {}, isUnreachable = false, keepsAlive = false } = options
  const asked = { A: 0, AAAA: 0 }
  const dns = await startDnsServer(({ type }): Answer => {
    const records = answers[Math.min(asked[type]++, answers.length - 1)] ?? []
    return { records: records.filter((record) => record.type === type) }
  })
  t.teardown(() => dns.close())
  let requests = 0
  const origin = await startOrigin(
    ({ socket }, response) => {
      if (keepsAlive && ++requests === firstGone) socket.destroy()
      else response.writeHead(200, keepsAlive ? {} : { connection: 'close' }).end('ok')
    },
    { onUpgrade: (_request, socket, head) => echoFrames(socket, head) },
  )
  t.teardown(() => origin.close())
  const resolver: Resolver = createResolver({
    nameservers: [dns.address],
    hosts: new Map(),
    timeoutMs: 2000,
  })
  const parts = enforced(origin.port, {
    perimeters: [
      {
        name: 'shop',
        profiles: [
          { name: 'web', accessRules: [{ name: 'out', fullyQualifiedDomainNames: [name] }] },
        ],
        associations: [{ resource: 'orders', accessMode: 'Enforced' }],
      },
    ],
  })
  const proxy = await startProxy(
    t,
    { ...parts, egress: { ports: [origin.port], hosts: {}, privateAddresses: {}, ...egress } },
    {
      resolve: (asked) => resolver.resolve(hostname(asked)),
      dial: (dial) => async (request: DialRequest) => {
        const [first = address(publicAddress)] = request.addresses
        const isPublic = publicAddresses.includes(first.text)
        if (isPublic && isUnreachable) return { kind: 'failed', reason: 'connect-refused' }
        const addresses = isPublic ? [address('127.0.0.1')] : request.addresses
        const dialled = await dial({ ...request, addresses })
        return dialled.kind === 'connected' ? { ...dialled, address: first } : dialled
      },
    },
  )
  const authority = `${name}:${origin.port}`
  const requestBy = {
    CONNECT: `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
    'absolute-form': `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
    upgrade: upgradeRequest(authority).replace('GET /', `GET http://${authority}/`),
  } satisfies Record<Path, string>
  return {
    origin,
    proxy,
    async ask(path) {
      const client = await proxy.connect()
      client.send(requestBy[path])
      const { status } = await client.response({ bodyless: path === 'CONNECT' })
      client.destroy()
      return status
    },
  }
}

const opened = { CONNECT: 200, 'absolute-form': 200, upgrade: 101 } satisfies Record<Path, number>

void t.test('A name that turns private without a time to live is refused at once', async (t) => {
  for (const path of paths) {
    await t.test(path, async (t) => {
      for (const next of ['127.0.0.1', '169.254.169.254']) {
        const { proxy, ask } = await startSite(t, { answers: [[a(publicAddress)], [a(next)]] })
        t.equal(await ask(path), opened[path], 'public')
        t.equal(await ask(path), 403, next)
        await proxy.close()
        t.same(new Set(proxy.dialled.map(withoutPort)), new Set([publicAddress]))
        const last = proxy.records.findLast(({ end }) => end === undefined)
        t.match(last, {
          decision: { effect: 'deny', reason: 'address-not-public' },
          destination: { fullyQualifiedDomainName: name, ipAddress: next },
        })
      }
    })
  }
})

const never: readonly { note: string; records: readonly DnsRecord[] }[] = [
  { note: 'loopback', records: [a('127.0.0.1')] },
  { note: 'another loopback address', records: [a('127.9.9.9')] },
  { note: 'unspecified', records: [a('0.0.0.0')] },
  { note: 'private', records: [a('10.0.0.1'), a('192.168.1.1'), a('172.16.0.1')] },
  { note: 'metadata', records: [a('169.254.169.254')] },
  { note: 'WireServer', records: [a('168.63.129.16')] },
  { note: 'IPv6 loopback', records: [aaaa('0:0:0:0:0:0:0:1')] },
  { note: 'IPv6 unspecified', records: [aaaa('0:0:0:0:0:0:0:0')] },
  { note: 'mapped loopback', records: [aaaa('0:0:0:0:0:ffff:7f00:1')] },
  { note: 'compatible loopback', records: [aaaa('0:0:0:0:0:0:7f00:1')] },
  { note: 'NAT64 metadata', records: [aaaa('64:ff9b:0:0:0:0:a9fe:a9fe')] },
  { note: '6to4 loopback', records: [aaaa('2002:7f00:1:0:0:0:0:0')] },
  { note: 'IPv6 metadata', records: [aaaa('fd00:ec2:0:0:0:0:0:254')] },
  { note: 'link-local, which has no zone in DNS', records: [aaaa('fe80:0:0:0:0:0:0:1')] },
]

void t.test('A name that leads inside is never dialled', async (t) => {
  for (const { note, records } of never) {
    await t.test(note, async (t) => {
      const { proxy, origin, ask } = await startSite(t, { answers: [records] })
      for (const path of paths) t.equal(await ask(path), 403, path)
      t.same(proxy.dialled, [])
      t.equal(origin.accepted(), 0)
    })
  }
})

void t.test('Where the network translates, what is behind it is judged', async (t) => {
  const egress = { nat64: ['64:ff9b::/96'] }
  const inside = ['7f00:1', 'a9fe:a9fe', 'a00:1', 'a83f:8110']
  for (const end of inside) {
    const answers = [[aaaa(`64:ff9b:0:0:0:0:${end.includes(':') ? end : `0:${end}`}`)]]
    const { proxy, ask } = await startSite(t, { answers, egress })
    for (const path of paths) t.equal(await ask(path), 403, `${path} ${end}`)
    t.same(proxy.dialled, [])
  }
  const answers = [[aaaa('64:ff9b:0:0:0:0:1400:1')]]
  const { proxy, ask } = await startSite(t, { answers, egress })
  t.equal(await ask('CONNECT'), 200, 'public')
  t.same(proxy.dialled.map(withoutPort), ['64:ff9b::1400:1'])
})

void t.test('Of mixed answers only the public ones are dialled', async (t) => {
  const answers = [
    [a('127.0.0.1'), a(publicAddress), a('169.254.169.254'), aaaa('0:0:0:0:0:0:0:1')],
  ]
  for (const path of paths) {
    const { proxy, ask } = await startSite(t, { answers })
    t.equal(await ask(path), opened[path], path)
    t.same(proxy.dialled.map(withoutPort), [publicAddress])
  }
})

void t.test('A dial that fails goes to no address that was not judged', async (t) => {
  const answers = [[a(publicAddress), a('127.0.0.1')]]
  for (const path of paths) {
    const { proxy, origin, ask } = await startSite(t, { answers, isUnreachable: true })
    t.equal(await ask(path), 502, path)
    t.same(proxy.dialled.map(withoutPort), [publicAddress])
    t.equal(origin.accepted(), 0)
  }
})

void t.test('A request that is sent again is judged again', async (t) => {
  const { proxy, origin, ask } = await startSite(t, {
    answers: [[a(publicAddress)], [a('127.0.0.1')]],
    keepsAlive: true,
  })
  t.equal(await ask('absolute-form'), 200)
  t.equal(await ask('absolute-form'), 403, 'the kept connection breaks, the name has turned')
  t.same(proxy.dialled.map(withoutPort), [publicAddress])
  t.equal(origin.accepted(), 1)
})

function a(value: string): DnsRecord {
  return { type: 'A', value, ttl: 0 }
}

function aaaa(value: string): DnsRecord {
  return { type: 'AAAA', value, ttl: 0 }
}

function withoutPort(dialled: string): string {
  return dialled.slice(0, dialled.lastIndexOf(':'))
}
