import t from 'tap'
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
