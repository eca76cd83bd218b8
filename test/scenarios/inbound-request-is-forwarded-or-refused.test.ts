import t from 'tap'
import { closedShop, openShop, startInbound } from '../support/inbound-world.ts'
import { readBody, startOrigin } from '../support/origin.ts'
import { connectRaw, exchangeRaw } from '../support/raw-client.ts'

void t.test('an allowed request reaches the back end and its answer the client', async (t) => {
  const origin = await startOrigin((request, response) => {
    void readBody(request).then((body) => {
      response.setHeader('x-back-end', 'yes')
      response.end(`got ${body.toString()}`)
    })
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))

  const client = await connectRaw(world)
  client.send(
    'POST /a/../b%2f?x=1&y HTTP/1.1\r\nHost: orders.test\r\nContent-Length: 5\r\n\r\nhello',
  )
  const response = await client.response()

  t.equal(response.status, 200)
  t.equal(response.body, 'got hello')
  t.equal(response.header('x-back-end'), 'yes')
  t.equal(response.header('x-ms-request-id'), 'correlation-1')
  t.equal(origin.seen[0]?.url, '/a/../b%2f?x=1&y')
  t.strictSame(origin.seen[0]?.header('host'), ['orders.test'])
  t.equal(world.records.length, 1)
  t.match(world.records[0], {
    correlationId: 'correlation-1',
    operationName: 'POST',
    serviceFqdn: 'orders.test',
    decision: { effect: 'allow', reason: 'access-rule', rule: 'office' },
    source: { ipAddress: '127.0.0.1', protocol: 'HTTP:TCP' },
  })

  client.send('GET /second HTTP/1.1\r\nHost: orders.test\r\n\r\n')
  t.equal((await client.response()).status, 200)
  t.equal(origin.accepted(), 1, 'the connection to the back end is kept')
  client.destroy()
  t.strictSame(world.complaints, [])
})

void t.test('a denied request never reaches the back end', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, closedShop(origin.url))

  const response = await exchangeRaw(world, 'GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n')

  t.equal(response.status, 403)
  t.equal(response.header('x-ms-error-code'), 'NetworkSecurityPerimeterDenied')
  t.equal(response.header('x-ms-request-id'), 'correlation-1')
  t.match(JSON.parse(response.body), {
    error: {
      code: 'NetworkSecurityPerimeterDenied',
      innererror: { reason: 'no-matching-rule', correlationId: 'correlation-1' },
    },
  })
  t.equal(origin.accepted(), 0)
  t.equal(world.records.length, 1)
})
