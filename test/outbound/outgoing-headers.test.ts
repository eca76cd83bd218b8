import t from 'tap'
import { startOrigin } from '../support/origin.ts'
import { enforced, startProxy, viaId } from './proxy-fixture.ts'
import { laneUnderTest } from '../support/settings-parts.ts'

/** What arrives at the destination for a request with these fields. */
async function send(
  t: Parameters<typeof startProxy>[0],
  fields: readonly string[],
): Promise<{ arrived: string; removed: readonly string[]; status: number }> {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port))
  const client = await proxy.connect()
  const host = `api.example:${origin.port}`
  client.send(
    `GET http://${host}/ HTTP/1.1\r\n${fields.map((one) => `${one}\r\n`).join('')}Host: ${host}\r\n\r\n`,
  )
  const { status } = await client.response()
  const raw = origin.seen[0]?.rawHeaders ?? []
  const lines = raw.flatMap((part, index) =>
    index % 2 === 0 ? [`${part}: ${raw[index + 1]}`] : [],
  )
  const arrived = lines.join('\n').replaceAll(host, 'HOST')
  return { arrived, removed: proxy.records[0]?.removedHeaders ?? [], status }
}

/** HTTP/1.1 keeps a connection without being told; undici tells it. */
const kept = laneUnderTest === 'library' ? 'connection: keep-alive\n' : ''

const ownVia = `1.1 ringfence-${viaId}`

const own = `host: HOST\n${kept}via: ${ownVia}`

void t.test('writeOutgoingHeaders keeps what is meant for the destination', async (t) => {
  const { arrived } = await send(t, [
    'Accept: */*',
    'Cookie: a=1',
    'cookie: b=2',
    'Authorization: Bearer x',
    'X-Latin: caf\xe9',
    'User-Agent: t',
  ])
  t.equal(
    arrived,
    `host: HOST\n${kept}Accept: */*\nCookie: a=1\ncookie: b=2\nAuthorization: Bearer x\nX-Latin: caf\xe9\nUser-Agent: t\nvia: ${ownVia}`,
  )
})

void t.test('writeOutgoingHeaders removes what is for this hop only', async (t) => {
  for (const field of [
    'Proxy-Authorization: Basic c2VjcmV0',
    'proxy_authorization: Basic c2VjcmV0',
    'Proxy-Connection: keep-alive',
    'Proxy-Authenticate: Basic',
    'Keep-Alive: timeout=5',
    'TE: trailers',
    'Trailer: x-sum',
    'Upgrade: websocket',
    'HTTP2-Settings: AAMAAABk',
    'Via: 1.1 inside.corp',
    'VIA: 1.0 fred',
  ]) {
    t.equal((await send(t, [field])).arrived, own, field)
  }
})

void t.test('writeOutgoingHeaders removes what Connection names, and no more', async (t) => {
  const { arrived } = await send(t, [
    'Connection: X-Secret, close, upgrade, HTTP2-Settings',
    'Connection: x-other',
    'x-secret: 1',
    'X-Other: 2',
    'Upgrade: h2c',
    'HTTP2-Settings: AAMAAABk',
    'X-Kept: 3',
  ])
  t.equal(arrived, `host: HOST\n${kept}X-Kept: 3\nvia: ${ownVia}`)
  t.equal((await send(t, ['Connection: host'])).status, 400)
})

void t.test(
  'writeOutgoingHeaders removes identity and forwarding fields in every spelling',
  async (t) => {
    for (const name of [
      'X-NSP-Subscription-Id',
      'x_nsp_subscription_id',
      'X.Nsp.Perimeter.Id',
      'x-nsp-perimeter-id',
      'X-Nsp_Resource-Id',
      'Forwarded',
      'X-Forwarded-For',
      'x_forwarded_for',
      'X-Forwarded-Host',
      'X-Forwarded-Proto',
      'X-Forwarded-Anything',
      'X-Real-IP',
      'X-Client-IP',
      'True-Client-IP',
    ]) {
      const { arrived, removed } = await send(t, [`${name}: 10.0.0.1`])
      t.equal(arrived, own, name)
      t.same(removed, [name], 'the log says so')
    }
  },
)

void t.test(
  'writeOutgoingHeaders keeps which listeners of ours a request has passed',
  async (t) => {
    const other = '1.1 ringfence-fedcba9876543210'
    const once = await send(t, [`Via: 1.1 inside, ${other}`])
    t.ok(once.arrived.endsWith(`via: ${other}, ${ownVia}`), once.arrived)
    t.equal((await send(t, [`Via: 1.1 inside, ${ownVia}`])).status, 508, 'it passed here')
    const many = Array.from({ length: 16 }, () => other).join(', ')
    t.equal((await send(t, [`Via: ${many}`])).status, 508, 'it passed too many')
    const strange = many.replaceAll('ringfence', 'ringfence.example')
    t.equal((await send(t, [`Via: ${strange}`])).status, 200, 'those of others do not count')
  },
)

void t.test('what a client claims is noted where it is refused, and on CONNECT', async (t) => {
  const proxy = await startProxy(t, enforced(443))
  const client = await proxy.connect()
  const claims = 'x_nsp_perimeter_id: 1\r\nX-Forwarded-For: 10.0.0.1\r\n'
  client.send(`GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n${claims}\r\n`)
  t.equal((await client.response()).status, 403)
  client.send(`CONNECT other.example:443 HTTP/1.1\r\nHost: other.example\r\n${claims}\r\n`)
  t.equal((await client.response()).status, 403)
  t.same(
    proxy.records.map(({ removedHeaders }) => removedHeaders),
    [
      ['x_nsp_perimeter_id', 'X-Forwarded-For'],
      ['x_nsp_perimeter_id', 'X-Forwarded-For'],
    ],
  )
})
