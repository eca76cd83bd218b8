import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { once } from 'node:events'
import t from 'tap'
import { ask } from '../support/http-get.ts'
import { createAuthority } from '../support/certificates.ts'
import { connectRaw } from '../support/raw-client.ts'
import { askAdmin, eventually, startInProcess } from '../support/ringfence.ts'
import { startOrigin } from '../support/origin.ts'
import { writeShop } from '../support/shop.ts'

void t.test('settings that only a restart changes are reported, the rest counts', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const shop = await writeShop(t, { backendPort: origin.port })
  const instance = await startInProcess(t, shop)
  const port = instance.port('public')
  const get = (host: string) => ask({ port, path: '/', headers: { host } })
  t.equal((await get('new.test')).status, 404)

  await shop.setSettings({
    audit: { file: 'other.log' },
    resources: [
      { id: 'orders', hosts: ['new.test'], backend: `http://127.0.0.1:${origin.port}` },
      { id: 'vault', hosts: ['vault.test'], backend: `http://127.0.0.1:${origin.port}` },
    ],
  })
  const { status, json } = await askAdmin(shop, { method: 'POST', path: '/reload' })
  t.equal(status, 200)
  t.match(json, { needsRestart: ['`audit.file`'] })
  t.equal((await get('new.test')).status, 200, 'a host that was added is served')
  t.equal((await get('orders.test')).status, 404, 'one that was removed is not')
  const ready = await ask({ port: instance.port('health'), path: '/readyz' })
  t.match(JSON.parse(ready.body), { ready: true, needsRestart: true })
  await eventually(
    () => shop.records(),
    (records) => records.length === 3,
  )
})

void t.test('a listener that settings no longer name denies at once', async (t) => {
  const origin = await startOrigin()
  const outside = await startOrigin()
  t.teardown(async () => {
    await origin.close()
    await outside.close()
  })
  const shop = await writeShop(t, { backendPort: origin.port, outsidePorts: [outside.port] })
  const instance = await startInProcess(t, shop)
  const get = () =>
    ask({ port: instance.port('public'), path: '/', headers: { host: 'orders.test' } })
  const goOut = () =>
    ask({
      port: instance.port('egress'),
      path: `http://api.outside.test:${outside.port}/`,
      headers: { host: `api.outside.test:${outside.port}` },
    })
  t.strictSame([(await get()).status, (await goOut()).status], [200, 200])
  const tunnel = await connectRaw({ port: instance.port('egress') })
  t.teardown(() => tunnel.destroy())
  const authority = `api.outside.test:${outside.port}`
  tunnel.send(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`)
  await tunnel.until('\r\n\r\n')
  const ended = tunnel.rest()
  await shop.setSettings({ inbound: [], outbound: [] })
  const { json } = await askAdmin(shop, { method: 'POST', path: '/reload' })
  t.match(json, { needsRestart: [/inbound listener `public`/, /outbound listener `egress`/] })
  await ended
  t.equal(instance.running.status().open, 0, 'what it had open has ended')
  t.ok((await get()).status >= 400)
  t.ok((await goOut()).status >= 400)
  t.equal(origin.seen.length, 1)
  t.equal(outside.seen.length, 1)
})

void t.test('a certificate that is renewed is presented to the next connection', async (t) => {
  const origin = await startOrigin()
  const authority = createAuthority()
  t.teardown(async () => {
    await origin.close()
    authority.remove()
  })
  const first = authority.issue('orders.test')
  const second = authority.issue('orders.test')
  const shop = await writeShop(t, {
    backendPort: origin.port,
    settings: {
      inbound: [
        {
          name: 'public',
          listen: { host: '127.0.0.1', port: 0 },
          tls: { certificateFile: 'tls.crt', keyFile: 'tls.key' },
        },
      ],
    },
  })
  const install = async (certificate: typeof first): Promise<void> => {
    await copyFile(certificate.keyFile, join(shop.folder, 'tls.key'))
    await copyFile(certificate.certificateFile, join(shop.folder, 'tls.crt'))
  }
  await install(first)
  const instance = await startInProcess(t, shop)
  const presented = async (): Promise<string> => {
    const socket = connect({
      host: '127.0.0.1',
      port: instance.port('public'),
      servername: 'orders.test',
      ca: authority.ca,
    })
    await once(socket, 'secureConnect')
    const { serialNumber } = socket.getPeerCertificate()
    socket.destroy()
    return serialNumber
  }
  const before = await presented()

  await t.test('a key that does not fit changes nothing', async (t) => {
    await copyFile(second.keyFile, join(shop.folder, 'tls.key'))
    const { status, json } = await askAdmin(shop, { method: 'POST', path: '/reload' })
    t.equal(status, 422)
    t.match(json, { problems: [/the private key does not belong to the certificate/] })
    t.equal(await presented(), before)
  })

  await install(second)
  const after = await eventually(presented, (serial) => serial !== before)
  t.not(after, before)
})
