import t from 'tap'
import { startRawOrigin } from '../support/origin.ts'
import { enforced, startProxy } from './proxy-fixture.ts'

void t.test('ConnectRequest carries bytes both ways once the rule allows the name', async (t) => {
  const origin = await startRawOrigin({
    onData: (socket, text) => void socket.write(`echo ${text}`),
  })
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port))
  const client = await proxy.connect()
  client.send(`CONNECT API.example.:${origin.port} HTTP/1.1\r\nHost: api.example\r\n\r\n`)
  t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 200 /)
  client.send('hello')
  await client.until('echo hello')
  client.end()
  t.same(await client.rest(), { text: '', how: 'end' })
  const { end, decision, destination } = await proxy.endLine()
  t.match(end, { bytesIn: 5, bytesOut: 10, closeReason: 'complete' })
  t.match(decision, { reason: 'access-rule', rule: 'api' })
  t.match(destination, { fullyQualifiedDomainName: 'api.example', ipAddress: '127.0.0.1' })
  t.equal(proxy.records.length, 2)
})

void t.test('ConnectRequest refuses with a whole answer and closes', async (t) => {
  const proxy = await startProxy(t, enforced(443))
  const client = await proxy.connect()
  client.send('CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n')
  const answer = await client.response()
  t.equal(answer.status, 403)
  t.equal(answer.header('x-ms-request-id'), 'id-1')
  t.match(JSON.parse(answer.body), {
    error: {
      code: 'NetworkSecurityPerimeterDenied',
      innererror: {
        reason: 'no-matching-rule',
        destination: 'other.example:443',
        profile: 'web',
        suggestedRule:
          '{ name: other-example, direction: Outbound, fullyQualifiedDomainNames: [other.example] }',
      },
    },
  })
  t.equal((await client.rest()).how, 'end')
  t.same(proxy.resolved, [])
  t.same(proxy.dialled, [])
})
