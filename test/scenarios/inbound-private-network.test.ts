import t from 'tap'
import { closedShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin } from '../support/origin.ts'
import { exchangeRaw } from '../support/raw-client.ts'

const get = 'GET / HTTP/1.1\r\nHost: orders.test\r\n'

void t.test('only the clients of a private listener arrive over a private endpoint', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(
    t,
    closedShop(origin.url, {
      inbound: [
        {
          name: 'public',
          network: 'private',
          clients: ['127.0.0.2/32'],
          trustedProxies: ['127.0.0.3/32'],
        },
      ],
    }),
  )
  const inside = await exchangeRaw({ ...world, localAddress: '127.0.0.2' }, `${get}\r\n`)
  t.equal(inside.status, 200)
  t.match(world.records[0], {
    decision: { category: 'NspPrivateInboundAllowed', trafficType: 'Private' },
  })
  const outside = await exchangeRaw({ ...world, localAddress: '127.0.0.1' }, `${get}\r\n`)
  t.equal(outside.status, 403)
  const forwarded = await exchangeRaw(
    { ...world, localAddress: '127.0.0.3' },
    `${get}X-Forwarded-For: 127.0.0.2\r\n\r\n`,
  )
  t.equal(forwarded.status, 403, 'a forwarded address is no private endpoint')
})
