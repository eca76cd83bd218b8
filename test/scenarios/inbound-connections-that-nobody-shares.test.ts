import t from 'tap'
import { createAuthority } from '../support/certificates.ts'
import { connectHttp2 } from '../support/http2-client.ts'
import { openShop, startInbound } from '../support/inbound-world.ts'
import { startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { answerFor, isAsked, sharingCases } from '../support/sharing-cases.ts'

/**
 * A back end that knows somebody by the connection, or that has left content unread on it, must not get the next
 * client's request on the same (threats: identity by connection; CL.0).
 */

for (const one of sharingCases) {
  const { note, method = 'GET', fields = '', body = '', isShared } = one
  void t.test(`${note}: the connection is ${isShared ? '' : 'not '}shared`, async (t) => {
    const origin = await startRawOrigin({
      onData(socket, text) {
        if (isAsked(text, one))
          socket.write(
            text.includes('/next')
              ? answerFor({ ...one, method: 'GET', answered: '' })
              : answerFor(one),
          )
      },
    })
    t.teardown(() => origin.close())
    const world = await startInbound(t, openShop(`http://${origin.authority}`))
    const [alice, bob] = [await connectRaw(world), await connectRaw(world)]
    alice.send(`${method} / HTTP/1.1\r\nHost: orders.test\r\n${fields}\r\n${body}`)
    t.equal((await alice.response({ bodyless: method === 'HEAD' })).status, 200)
    bob.send('GET /next HTTP/1.1\r\nHost: orders.test\r\n\r\n')
    t.equal((await bob.response()).body, 'ok')
    t.equal(origin.received.length, isShared ? 1 : 2)
    alice.destroy()
    bob.destroy()
  })
}

void t.test('whoever comes by HTTP/2 shares a back end of HTTP/1.1 no more', async (t) => {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const pem = authority.issue('orders.test')
  const { certificateFile, keyFile } = pem
  const inbound = [{ name: 'public', tls: { certificateFile, keyFile } }]
  const asOrders = { ca: authority.ca, servername: 'orders.test' }
  const basic = { authorization: 'Basic YTpi' }
  const cases = [
    { note: 'Basic', parts: { headers: basic }, connections: 1 },
    { note: 'NTLM', parts: { headers: { authorization: 'NTLM a' } }, connections: 2 },
    { note: 'content of GET', parts: { headers: { ':method': 'GET' }, body: 'a' }, connections: 2 },
  ]
  for (const { note, parts, connections } of cases) {
    const origin = await startRawOrigin({
      onData(socket, text) {
        const end = text.includes('chunked') ? '\r\n0\r\n\r\n' : '\r\n\r\n'
        if (text.endsWith(end)) socket.write(answerFor({ note, isShared: true }))
      },
    })
    t.teardown(() => origin.close())
    const world = await startInbound(t, openShop(`http://${origin.authority}`, { inbound }), {
      pem,
    })
    const [alice, bob] = [
      await connectHttp2({ ...world, ...asOrders }),
      await connectHttp2({ ...world, ...asOrders }),
    ]
    t.equal((await alice.exchange('/', parts)).status, 200, note)
    t.equal((await bob.exchange('/next')).body, 'ok', note)
    t.equal(origin.received.length, connections, note)
    alice.destroy()
    bob.destroy()
  }
})

void t.test('nor is one that a request of that kind was sent again over', async (t) => {
  const origin = await startRawOrigin({
    onData(socket, text) {
      // Given up as the second request of a connection arrives.
      if (/^GET [^]*GET [^]*NTLM/.test(text)) socket.destroy()
      else if (text.endsWith('\r\n\r\n')) socket.write(answerFor({ note: '', isShared: true }))
    },
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(`http://${origin.authority}`))
  const [alice, bob] = [await connectRaw(world), await connectRaw(world)]
  alice.send('GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')
  t.equal((await alice.response()).status, 200)
  alice.send('GET / HTTP/1.1\r\nHost: orders.test\r\nAuthorization: NTLM a\r\n\r\n')
  t.equal((await alice.response()).status, 200)
  bob.send('GET /next HTTP/1.1\r\nHost: orders.test\r\n\r\n')
  t.equal((await bob.response()).status, 200)
  t.notOk(origin.received.some((text) => text.includes('NTLM') && text.includes('/next')))
  alice.destroy()
  bob.destroy()
})
