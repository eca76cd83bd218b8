import t from 'tap'
import { openShop, startInbound } from '../support/inbound-world.ts'
import { readBody, startOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'

void t.test(
  'the environment cannot send requests through another path of the library',
  async (t) => {
    process.env['FORCE_FETCH_PATH'] = 'true'
    const origin = await startOrigin()
    t.teardown(() => origin.close())
    const world = await startInbound(t, openShop(origin.url, { lane: 'library' }))
    const client = await connectRaw(world)
    client.send('GET /a?%20& HTTP/1.1\r\nHost: orders.test\r\n\r\n')
    t.equal((await client.response()).status, 200)
    t.equal(process.env['FORCE_FETCH_PATH'], undefined)
    t.strictSame(origin.seen[0]?.header('host'), ['orders.test'], 'as fetch would not have sent it')
    client.destroy()
  },
)

void t.test('a request is called with nothing but what was built for it', async (t) => {
  const origin = await startOrigin((request, response) => {
    void readBody(request).then((body) => response.end(body))
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { lane: 'library' }))
  const client = await connectRaw(world)
  client.send(
    'DELETE /x HTTP/1.1\r\nHost: orders.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  )
  t.equal((await client.response()).body, 'abc')
  const names = origin.seen[0]?.rawHeaders.filter((_, index) => index % 2 === 0)
  t.strictSame(names, [
    'Host',
    'Via',
    'transfer-encoding',
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-proto',
    'Connection',
  ])
  client.destroy()
})
