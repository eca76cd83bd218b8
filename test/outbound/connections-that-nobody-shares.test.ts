import t from 'tap'
import { startRawOrigin } from '../support/origin.ts'
import { answerFor, isAsked, sharingCases } from '../support/sharing-cases.ts'
import { enforced, startProxy } from './proxy-fixture.ts'

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
    const { port } = origin
    const proxy = await startProxy(t, enforced(port))
    const [alice, bob] = [await proxy.connect(), await proxy.connect()]
    const head = (what: string, path: string): string =>
      `${what} http://api.example:${port}${path} HTTP/1.1\r\nHost: api.example:${port}\r\n`
    alice.send(`${head(method, '/')}${fields}\r\n${body}`)
    t.equal((await alice.response({ bodyless: method === 'HEAD' })).status, 200)
    bob.send(`${head('GET', '/next')}\r\n`)
    t.equal((await bob.response()).body, 'ok')
    t.equal(origin.received.length, isShared ? 1 : 2)
  })
}

void t.test('nor is one that a request of that kind was sent again over', async (t) => {
  const origin = await startRawOrigin({
    onData(socket, text) {
      // Given up as the second request of a connection arrives.
      if (/^GET [^]*GET [^]*NTLM/.test(text)) socket.destroy()
      else if (text.endsWith('\r\n\r\n')) socket.write(answerFor({ note: '', isShared: true }))
    },
  })
  t.teardown(() => origin.close())
  const { port } = origin
  const proxy = await startProxy(t, enforced(port))
  const [alice, bob] = [await proxy.connect(), await proxy.connect()]
  const head = (path: string): string =>
    `GET http://api.example:${port}${path} HTTP/1.1\r\nHost: api.example:${port}\r\n`
  alice.send(`${head('/')}\r\n`)
  t.equal((await alice.response()).status, 200)
  alice.send(`${head('/')}Authorization: NTLM a\r\n\r\n`)
  t.equal((await alice.response()).status, 200)
  bob.send(`${head('/next')}\r\n`)
  t.equal((await bob.response()).status, 200)
  t.notOk(origin.received.some((text) => text.includes('NTLM') && text.includes('/next')))
})
