import t from 'tap'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { openShop, startInbound } from '../support/inbound-world.ts'
import { answerRaw, startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'

const cases = [
  { note: 'content-length', head: 'Content-Length: 100\r\n\r\nhalf', httpVersion: '1.1' },
  { note: 'chunked', head: 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', httpVersion: '1.1' },
  { note: 'close-delimited', head: '\r\nhalf', httpVersion: '1.1' },
  { note: 'content-length, HTTP/1.0', head: 'Content-Length: 100\r\n\r\nhalf', httpVersion: '1.0' },
  {
    note: 'chunked, HTTP/1.0',
    head: 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
    httpVersion: '1.0',
  },
  { note: 'close-delimited, HTTP/1.0', head: '\r\nhalf', httpVersion: '1.0' },
] as const

void t.test('a back end that is reset mid-body cuts the client off, never cleanly', async (t) => {
  for (const { note, head, httpVersion } of cases) {
    await t.test(note, async (t) => {
      let backend: Socket | undefined
      const answer = answerRaw(`HTTP/1.1 200 OK\r\n${head}`)
      const origin = await startRawOrigin({
        onData(socket, text) {
          backend = socket
          answer(socket, text)
        },
      })
      t.teardown(() => origin.close())
      const world = await startInbound(t, openShop(`http://${origin.authority}`))
      const client = await connectRaw(world)
      client.send(`GET / HTTP/${httpVersion}\r\nHost: orders.test\r\n\r\n`)
      await client.until('half')

      backend?.resetAndDestroy()
      const { how, text } = await client.rest()

      t.equal(how, 'reset')
      t.notMatch(text, '0\r\n\r\n')
      t.match(await world.record(({ end }) => end !== undefined), {
        end: { closeReason: 'backend-reset', bytesOut: 4 },
      })
      t.equal(world.records.length, 2)
      t.equal(world.proxy.open, 0)
      t.strictSame(world.complaints, [])
    })
  }
})

void t.test('a back end that ends short of its framing cuts the client off', async (t) => {
  for (const { note, head } of cases.slice(0, 2)) {
    await t.test(note, async (t) => {
      const origin = await startRawOrigin({
        onData(socket, text) {
          if (!text.includes('\r\n\r\n')) return
          socket.end(`HTTP/1.1 200 OK\r\n${head}`)
        },
      })
      t.teardown(() => origin.close())
      const world = await startInbound(t, openShop(`http://${origin.authority}`))
      const client = await connectRaw(world)
      client.send('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')

      await client.until('half')
      t.equal((await client.rest()).how, 'reset')
    })
  }
})

void t.test('an answer that ends with its connection is whole', async (t) => {
  const origin = await startRawOrigin({
    onData(socket, text) {
      if (text.includes('\r\n\r\n')) socket.end('HTTP/1.1 200 OK\r\n\r\nwhole')
    },
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(`http://${origin.authority}`))
  const client = await connectRaw(world)
  client.send('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')
  const response = await client.response()
  t.equal(response.body, 'whole')
  t.equal(response.complete, true)
  t.equal(response.header('transfer-encoding'), 'chunked', 'and told so by framing')
  client.send('GET / HTTP/1.0\r\nHost: orders.test\r\n\r\n')
  const old = await client.response()
  t.equal(old.body, 'whole')
  t.equal(old.complete, true)
  client.destroy()
})

void t.test('a client that leaves mid-body takes the call to the back end with it', async (t) => {
  const origin = await startRawOrigin({
    onData: answerRaw('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'),
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(`http://${origin.authority}`))
  const client = await connectRaw(world)
  client.send('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')
  await client.until('half')
  const [backend] = origin.sockets
  client.destroy()
  if (backend !== undefined && !backend.destroyed) await once(backend, 'close')
  t.equal(origin.sockets.size, 0)
  const { end } = await world.record((record) => record.end !== undefined)
  t.match(end?.closeReason, /^client-(closed|reset)$/)
})
