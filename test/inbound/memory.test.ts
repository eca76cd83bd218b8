import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { KiB } from '../../src/units.ts'
import { createAuthority } from '../support/certificates.ts'
import { connectHttp2 } from '../support/http2-client.ts'
import { openShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { switching, upgradeRequest } from '../support/web-socket.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const host = 'Host: orders.test\r\n'

void t.test('what is open for long keeps no older policy alive', async (t) => {
  const origin = await startOrigin((_, response) => void response.write('first'), {
    onUpgrade(_, socket) {
      socket.write(switching)
      socket.resume()
      socket.on('end', () => socket.end())
    },
  })
  t.teardown(() => origin.close())
  for (const { note, head, arrived } of [
    { note: 'a streaming answer', head: `GET / HTTP/1.1\r\n${host}\r\n`, arrived: 'first' },
    {
      note: 'an upload',
      head: `PUT / HTTP/1.1\r\n${host}Content-Length: 9\r\n\r\nab`,
      arrived: 'first',
    },
    { note: 'a WebSocket', head: upgradeRequest('orders.test'), arrived: '\r\n\r\n' },
  ]) {
    await t.test(note, async (t) => {
      const world = await startInbound(t, openShop(origin.url))
      const client = await connectRaw(world)
      client.send(head)
      await client.until(arrived)
      const before = new WeakRef(world.inForce.current() ?? {})
      const resource = new WeakRef(world.records[0]?.decision.resource ?? {})
      const { policyVersion } = world.records[0]?.decision ?? {}
      world.forget()
      await world.reload(openShop(origin.url, { egress: { ports: [81] } }))
      await new Promise((resolve) => setTimeout(resolve, 10))
      collect()
      t.equal(before.deref(), undefined, 'what was in force')
      t.equal(resource.deref(), undefined, 'what it said of the resource')
      t.equal(world.proxy.open, 1, 'it is still open')
      client.destroy()
      const { decision } = await world.record(({ end }) => end !== undefined)
      t.equal(decision.policyVersion, world.inForce.current()?.version, 'what allowed it last')
      t.not(decision.policyVersion, policyVersion)
    })
  }
})

void t.test('nor does a stream of HTTP/2', async (t) => {
  const origin = await startOrigin((_, response) => void response.write('first'))
  const authority = createAuthority()
  t.teardown(async () => {
    authority.remove()
    await origin.close()
  })
  const shown = authority.issue('orders.test')
  const tls = { certificateFile: shown.certificateFile, keyFile: shown.keyFile }
  const inbound = [{ name: 'public', tls }]
  const world = await startInbound(t, openShop(origin.url, { inbound }), { pem: shown })
  const where = { port: world.port, ca: authority.ca, servername: 'orders.test' }
  const client = await connectHttp2(where)
  const stream = client.request('/', { headers: { ':method': 'POST' }, open: true })
  stream.write('half')
  await new Promise((resolve) => stream.once('data', resolve))
  const before = new WeakRef(world.inForce.current() ?? {})
  world.forget()
  await world.reload(openShop(origin.url, { inbound, egress: { ports: [81] } }))
  await new Promise((resolve) => setTimeout(resolve, 10))
  collect()
  t.equal(before.deref(), undefined, 'what was in force')
  t.equal(world.proxy.open, 1, 'it is still open')
  client.destroy()
})

const program = fileURLToPath(new URL('../support/kept-by-requests.ts', import.meta.url))

/**
 * An object of a shape of its own (a getter in a literal, a property defined by hand, none of the usual prototypes) and
 * the table of a Set or a Map that followed another live in the old generation, and keep alive there what a request refers
 * to until everything is collected: 10 KiB.
 */
void t.test('what a request leaves behind goes with the next small collection', async (t) => {
  const env = { ...process.env, NODE_OPTIONS: '' }
  const { stdout } = await promisify(execFile)(process.execPath, [program], { env })
  t.ok(Number(stdout) < 2 * KiB, `${stdout.trim()} bytes a request`)
})
