import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { defaultPerimeterGuid } from '../../src/perimeter/perimeter-guid.ts'
import { startOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { eventually, startInProcess } from '../support/ringfence.ts'
import { resourceId, testSubscription } from '../support/settings-parts.ts'
import { writeShop } from '../support/shop.ts'
import { claimsOf, createIssuerKey, jwksOf, signToken, testIssuer } from '../support/tokens.ts'
import { askAll, connectMany, startTwoWorkers } from '../support/two-workers.ts'

/** From settings on disk to the access log: with keys from an issuer and from a file, on one thread and on two. */

const key = createIssuerKey('one')
const vault = resourceId('vault').text
const token = signToken(key, claimsOf(vault))
const [, payload = ''] = token.split('.')

const shopId = resourceId(
  `/subscriptions/${testSubscription}/resourceGroups/shop/providers/Microsoft.Network/networkSecurityPerimeters/shop`,
)

const issuer = {
  issuer: testIssuer,
  audiences: ['api://orders'],
  algorithms: ['ES256'],
  subscriptions: [testSubscription],
  // A member's identity is in the member's perimeter: who may not speak for that may not speak for the member.
  perimeters: [defaultPerimeterGuid(shopId)],
}
const closed = { office: false }

const get = (bearer: string, name = 'Authorization'): string =>
  `GET / HTTP/1.1\r\nHost: orders.test\r\n${name}: Bearer ${bearer}\r\n\r\n`

void t.test('two workers know a caller by its token, and lose it with its issuer', async (t) => {
  const published = await startOrigin((_, response) => void response.end(jwksOf(key)))
  t.teardown(() => published.close())
  const tokens = { issuers: [{ ...issuer, jwksUrl: `${published.url}/keys` }] }
  const { instance, shop, origin } = await startTwoWorkers(t, {
    rules: closed,
    settings: { identity: { tokens } },
    handle(request, response) {
      if (request.url === '/stream') response.write('begun')
      else response.end('ok')
    },
  })
  const clients = await connectMany(t, instance.port('public'))
  t.same(new Set(await askAll(clients)), new Set([403]), 'nobody without one')
  t.same(new Set(await askAll(clients, get(token))), new Set([200]))
  t.same(new Set(await askAll(clients, get(token))), new Set([200]), 'nor the second time')
  const forged = `${token.slice(0, -6)}AAAAAA`
  t.same(new Set(await askAll(clients, get(forged))), new Set([403]))
  t.equal(published.seen.length, 2, 'each of them has asked the issuer once')
  t.equal(origin.seen.length, 2 * clients.length)

  for (const client of clients) client.send(get(token).replace('GET /', 'GET /stream'))
  await Promise.all(clients.map((client) => client.until('begun')))
  await shop.setSettings({ identity: {} })
  t.match(await instance.running.reload('test'), { kind: 'reloaded' })
  for (const client of clients) t.equal((await client.rest()).how, 'reset')

  // Neither log has anything of a token, nor has what may be asked for.
  await eventually(
    () => shop.records(),
    (records) =>
      records.filter(({ properties }) => properties.closeReason === 'policy-revoked').length ===
      clients.length,
  )
  t.notMatch(await readFile(shop.auditFile, 'utf8'), payload)
  t.notMatch(JSON.stringify(instance.log.lines), payload)
})

void t.test('keys from a file: they are in force with the settings, and followed', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const tokens = { header: 'X-Member-Token', issuers: [{ ...issuer, jwksFile: 'keys.json' }] }
  const shop = await writeShop(t, {
    backendPort: origin.port,
    rules: closed,
    settings: { identity: { tokens } },
  })
  const file = join(shop.folder, 'keys.json')
  await writeFile(file, jwksOf(key))
  const instance = await startInProcess(t, shop)
  const statusOf = async (bearer: string): Promise<number> => {
    const client = await connectRaw({ port: instance.port('public') })
    client.send(get(bearer, 'x-member-token'))
    const { status } = await client.response()
    client.destroy()
    return status
  }
  t.equal(await statusOf(token), 200)
  t.same(origin.seen[0]?.header('x-member-token'), [], 'no back end sees it')

  // The key is replaced: nobody reloads, the file is watched.
  const next = createIssuerKey('two')
  await writeFile(file, jwksOf(next))
  await eventually(
    () => statusOf(token),
    (status) => status === 403,
  )
  t.equal(await statusOf(signToken(next, claimsOf(vault))), 200)

  // A file that holds no keys changes nothing.
  await writeFile(file, '{"keys":[]}')
  t.match(await instance.running.reload('test'), { kind: 'failed' })
  t.equal(await statusOf(signToken(next, claimsOf(vault, { jti: '2' }))), 200)
})

void t.test('what a member sends to a member is its own, whatever token it carries', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const tokens = { header: 'x-member-token', issuers: [{ ...issuer, jwksFile: 'keys.json' }] }
  const shop = await writeShop(t, {
    backendPort: origin.port,
    rules: closed,
    settings: { identity: { tokens } },
  })
  await writeFile(join(shop.folder, 'keys.json'), jwksOf(key))
  const instance = await startInProcess(t, shop)
  const client = await connectRaw({ port: instance.port('egress') })
  t.teardown(() => client.destroy())
  const host = `vault.test:${instance.port('public')}`
  client.send(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 200 /)
  const other = signToken(key, claimsOf(resourceId('stranger').text))
  const twice = `X-Member-Token: ${other}\r\nX_Member_Token: ${token}\r\n`
  client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\nAuthorization: kept\r\n${twice}\r\n`)
  t.equal((await client.response()).status, 200)
  t.same(origin.seen[0]?.header('authorization'), ['kept'])
  for (const name of ['x-member-token', 'x_member_token']) {
    t.same(origin.seen[0]?.header(name), [], name)
  }
  const records = await eventually(
    () => shop.records(),
    ({ length }) => length >= 2,
  )
  t.same(new Set(records.map(({ properties }) => properties.reason)), new Set(['same-perimeter']))
})
