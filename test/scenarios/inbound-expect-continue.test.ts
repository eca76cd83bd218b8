import t from 'tap'
import { closedShop, openShop, startInbound } from '../support/inbound-world.ts'
import { readBody, startOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'

const post = 'POST / HTTP/1.1\r\nHost: orders.test\r\nContent-Length: 5\r\n'

void t.test('an allowed client is told to go on, and the back end is not asked', async (t) => {
  const origin = await startOrigin((request, response) => {
    void readBody(request).then((body) => response.end(body))
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const client = await connectRaw(world)
  client.send(`${post}Expect: 100-continue\r\nX-Nsp-Subscription-Id: forged\r\n\r\n`)
  t.equal((await client.response()).status, 100)
  client.send('hello')
  t.equal((await client.response()).body, 'hello')
  t.strictSame(origin.seen[0]?.header('expect'), [])
  t.strictSame(origin.seen[0]?.header('x-nsp-subscription-id'), [])
  client.destroy()
})

void t.test('a denied client never sees 100 Continue', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, closedShop(origin.url))
  const client = await connectRaw(world)
  client.send(`${post}Expect: 100-continue\r\n\r\n`)
  const response = await client.response()
  t.equal(response.status, 403)
  t.equal(response.header('connection'), 'close')
  t.equal((await client.rest()).text, '')
  t.equal(origin.accepted(), 0)
})

void t.test('another expectation is refused', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const client = await connectRaw(world)
  client.send(`${post}Expect: magic\r\n\r\nhello`)
  t.equal((await client.response()).status, 400)
  t.equal((await client.rest()).text, '')
  t.equal(origin.accepted(), 0)
  t.match(world.records, [{ decision: { reason: 'bad-request' }, detail: 'unknown expectation' }])
})

void t.test('a denied upload is answered, not reset', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, closedShop(origin.url))
  const client = await connectRaw(world)
  const size = 16 * 1024 * 1024
  client.send(`PUT / HTTP/1.1\r\nHost: orders.test\r\nContent-Length: ${size}\r\n\r\n`)
  client.send(Buffer.alloc(size, 'x'))
  const response = await client.response()
  t.equal(response.status, 403)
  t.equal((await client.rest()).how, 'end')
  t.equal(origin.accepted(), 0)
})
