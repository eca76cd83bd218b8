import { connect as connectTls } from 'node:tls'
import { once } from 'node:events'
import t from 'tap'
import { createAuthority } from '../support/certificates.ts'
import { startOrigin } from '../support/origin.ts'
import { connectRaw, rawClientOver } from '../support/raw-client.ts'
import { startInProcess, type LogRecord, type TestInstance } from '../support/ringfence.ts'
import { shopSettings, writeShop } from '../support/shop.ts'

/** A whole instance: `orders` asks `vault`, both members of one perimeter and fronted here. */

async function startShop(
  t: Parameters<typeof writeShop>[0],
  tls?: { certificateFile: string; keyFile: string },
): Promise<TestInstance & { origin: Awaited<ReturnType<typeof startOrigin>> }> {
  const origin = await startOrigin((request, response) => void request.pipe(response))
  t.teardown(() => origin.close())
  const settings = shopSettings({ backendPort: origin.port })
  const inbound = [{ name: 'public', listen: { host: '127.0.0.1', port: 0 }, ...(tls && { tls }) }]
  const shop = await writeShop(t, {
    backendPort: origin.port,
    settings: { ...settings, inbound, egress: {} },
  })
  const instance = await startInProcess(t, shop)
  return { ...instance, origin }
}

/** Both records of one decision, once both are there. */
async function pair(instance: TestInstance): Promise<readonly LogRecord[]> {
  for (;;) {
    const records = await instance.records()
    const decisions = records.filter(({ properties }) => properties.closeReason === undefined)
    if (decisions.length >= 2) return decisions
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const wanted = new Set(['NspIntraPerimeterInboundAllowed', 'NspOutboundAttempt'])

function categoriesOf(records: readonly LogRecord[]): ReadonlySet<string | undefined> {
  return new Set(records.map(({ category }) => category))
}

void t.test('a request in absolute-form is same-perimeter at both ends', async (t) => {
  const instance = await startShop(t)
  const client = await connectRaw({ port: instance.port('egress') })
  t.teardown(() => client.destroy())
  const host = `vault.test:${instance.port('public')}`
  client.send(
    `POST http://${host}/secrets HTTP/1.1\r\nHost: ${host}\r\nX-NSP-Perimeter-Id: forged\r\nX-Forwarded-For: 203.0.113.9\r\nContent-Length: 5\r\n\r\nhello`,
  )
  const answer = await client.response()
  t.equal(answer.status, 200)
  t.equal(answer.body, 'hello')
  const records = await pair(instance)
  t.same(categoriesOf(records), wanted)
  t.equal(new Set(records.map(({ correlationId }) => correlationId)).size, 1)
  t.same(instance.origin.seen[0]?.header('x-nsp-perimeter-id'), [])
})

void t.test(
  'so is a request inside CONNECT, and it must carry the name that was decided',
  async (t) => {
    const instance = await startShop(t)
    const client = await connectRaw({ port: instance.port('egress') })
    t.teardown(() => client.destroy())
    const host = `vault.test:${instance.port('public')}`
    client.send(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 200 /)
    client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    t.equal((await client.response()).status, 200)
    const records = await pair(instance)
    t.same(categoriesOf(records), wanted)
    t.equal(new Set(records.map(({ correlationId }) => correlationId)).size, 1)
    client.send(`GET / HTTP/1.1\r\nHost: orders.test:${instance.port('public')}\r\n\r\n`)
    t.equal((await client.response()).status, 421)
    t.equal(instance.origin.seen.length, 1)
  },
)

void t.test('so is one inside CONNECT to a listener with TLS', async (t) => {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const { certificateFile, keyFile } = authority.issue('vault.test')
  const instance = await startShop(t, { certificateFile, keyFile })
  const client = await connectRaw({ port: instance.port('egress') })
  t.teardown(() => client.destroy())
  const host = `vault.test:${instance.port('public')}`
  client.send(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  await client.until('\r\n\r\n')
  client.stream.removeAllListeners('data')
  const secure = connectTls({ socket: client.stream, ca: authority.ca, servername: 'vault.test' })
  await once(secure, 'secureConnect')
  const inner = rawClientOver(secure)
  inner.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  t.equal((await inner.response()).status, 200)
  t.same(categoriesOf(await pair(instance)), wanted)
})

void t.test('a port that no inbound listener has is closed', async (t) => {
  const instance = await startShop(t)
  const client = await connectRaw({ port: instance.port('egress') })
  t.teardown(() => client.destroy())
  client.send('GET http://vault.test:9/ HTTP/1.1\r\nHost: vault.test:9\r\n\r\n')
  const answer = await client.response()
  t.equal(answer.status, 502)
  t.match(answer.body, /connect-refused/)
})
