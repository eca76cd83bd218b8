import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { startOrigin } from '../support/origin.ts'
import { switching } from '../support/web-socket.ts'
import { enforced, startProxy } from './proxy-fixture.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

void t.test('what is open for long keeps no older policy alive', async (t) => {
  const origin = await startOrigin((_, response) => void response.write('first'), {
    onUpgrade: (_, socket) => void socket.write(switching),
  })
  t.teardown(() => origin.close())
  const host = `api.example:${origin.port}`
  for (const [note, head, arrived] of [
    ['a tunnel', `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, '\r\n\r\n'],
    ['a streaming answer', `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 'first'],
    [
      'a WebSocket',
      `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`,
      '\r\n\r\n',
    ],
  ] as const) {
    await t.test(note, async (t) => {
      const proxy = await startProxy(t, enforced(origin.port))
      const client = await proxy.connect()
      client.send(head)
      await client.until(arrived)
      const before = proxy.inForce()
      await proxy.swap(enforced(origin.port, { limits: { headerCount: 99 } }))
      await new Promise((resolve) => setTimeout(resolve, 10))
      collect()
      t.equal(before.deref(), undefined)
      t.equal(proxy.connections.size, 1, 'it is still open')
    })
  }
})
