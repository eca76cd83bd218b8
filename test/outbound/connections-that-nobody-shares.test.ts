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
