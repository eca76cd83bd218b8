import t from 'tap'
import { startOrigin } from '../support/origin.ts'
import { enforced, startProxy } from './proxy-fixture.ts'

void t.test('ForwardRequest forwards and decides each request of a connection anew', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const { port } = origin
  const proxy = await startProxy(t, enforced(port))
  const client = await proxy.connect()
  const get = (host: string): string =>
    `GET http://${host}:${port}/a?b HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`
  for (const [host, status] of [
    ['api.example', 200],
    ['other.example', 403],
    ['API.EXAMPLE', 200],
  ] as const) {
    client.send(get(host))
    const answer = await client.response()
    t.equal(answer.status, status, host)
    t.ok(answer.complete)
  }
  t.equal(origin.seen.length, 2)
  t.same(origin.seen[0]?.header('host'), [`api.example:${port}`])
  t.equal(origin.seen[0]?.url, '/a?b')
  t.equal(origin.accepted(), 1, 'the connection is used again')
  t.equal(proxy.records.length, 3)
})
