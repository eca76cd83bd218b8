import { once } from 'node:events'
import t from 'tap'
import { startOrigin, startRawOrigin } from '../support/origin.ts'
import type { InForceParts } from '../support/settings-parts.ts'
import { enforced, startProxy, withoutRules } from './proxy-fixture.ts'

const ask = (method: string, authority: string, more = ''): string =>
  `${method} http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n${more}\r\n`

function twoNames(port: number): InForceParts {
  return enforced(port, {
    egress: {
      ports: [port],
      hosts: { 'api.example': ['127.0.0.1'], 'two.example': ['127.0.0.1'] },
      privateAddresses: { 'api.example': ['127.0.0.1'], 'two.example': ['127.0.0.1'] },
    },
    perimeters: [
      {
        name: 'shop',
        profiles: [
          {
            name: 'web',
            accessRules: [
              { name: 'api', fullyQualifiedDomainNames: ['api.example', 'two.example'] },
            ],
          },
        ],
        associations: [{ resource: 'orders', accessMode: 'Enforced' }],
      },
    ],
  })
}

// Undici CVE-2026-6734 and Envoy CVE-2026-73548: pools that were keyed by less than the origin.
void t.test('ConnectionPool never gives a name what another name was allowed', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const { port } = origin
  const proxy = await startProxy(t, twoNames(port))
  const client = await proxy.connect()
  for (const name of ['api.example', 'two.example', 'api.example', 'two.example']) {
    client.send(ask('GET', `${name}:${port}`))
    t.equal((await client.response()).status, 200)
  }
  t.equal(origin.accepted(), 2, 'one connection for each name, although the address is the same')
})

void t.test('ConnectionPool is shared by the clients of a listener', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port))
  for (let count = 0; count < 3; count++) {
    const client = await proxy.connect()
    client.send(ask('GET', `api.example:${origin.port}`, 'Connection: close\r\n'))
    t.equal((await client.response()).status, 200)
  }
  t.equal(origin.accepted(), 1)
  t.equal(proxy.records.at(-1)?.destination?.ipAddress, '127.0.0.1')
})

void t.test('ConnectionPool retires what an older policy vetted', async (t) => {
  await t.test('idle connections at once', async (t) => {
    const origin = await startOrigin()
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port))
    const client = await proxy.connect()
    client.send(ask('GET', `api.example:${origin.port}`))
    await client.response()
    const [idle] = origin.sockets
    const closed = idle === undefined ? undefined : once(idle, 'close')
    await proxy.swap(withoutRules(origin.port))
    await closed
    t.equal(origin.sockets.size, 0)
    client.send(ask('GET', `api.example:${origin.port}`))
    t.equal((await client.response()).status, 403)
  })
  await t.test('busy connections with their answer', async (t) => {
    const answers: (() => void)[] = []
    const origin = await startOrigin((_, response) => {
      answers.push(() => void response.end('ok'))
      arrived.resolve()
    })
    const arrived = Promise.withResolvers<void>()
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port))
    const client = await proxy.connect()
    client.send(ask('GET', `api.example:${origin.port}`))
    await arrived.promise
    const [busy] = origin.sockets
    await proxy.swap(enforced(origin.port, { limits: { headerCount: 99 } }))
    const closed = busy === undefined ? undefined : once(busy, 'close')
    for (const answer of answers) answer()
    t.equal((await client.response()).body, 'ok', 'the new policy still allows it')
    await closed
  })
  await t.test('even if nobody has told it of the swap', async (t) => {
    const origin = await startOrigin()
    t.teardown(() => origin.close())
    let swapNow = (): void => undefined
    const proxy = await startProxy(t, enforced(origin.port), {
      dial: (real, swap) => {
        swapNow = () => swap(enforced(origin.port, { limits: { headerCount: 99 } }))
        return real
      },
    })
    const client = await proxy.connect()
    client.send(ask('GET', `api.example:${origin.port}`))
    await client.response()
    swapNow()
    client.send(ask('GET', `api.example:${origin.port}`))
    t.equal((await client.response()).status, 200)
    t.equal(origin.accepted(), 2)
  })
})

void t.test(
  'a request that meets a connection that was just closed is sent once more',
  async (t) => {
    const cases: readonly (readonly [note: string, method: string, body: string, sent: boolean])[] =
      [
        ['a GET is', 'GET', '', true],
        ['a HEAD is', 'HEAD', '', true],
        ['a POST is not', 'POST', '', false],
        ['a PUT with content is not', 'PUT', 'hello', false],
      ]
    for (const [note, method, body, isSent] of cases) {
      await t.test(note, async (t) => {
        let seen = 0
        const origin = await startRawOrigin({
          onData: (socket, text) => {
            if (text.split('\r\n\r\n').length > 2) {
              // The second request on a connection: closed as it arrives, without an answer.
              socket.destroy()
              return
            }
            seen++
            socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
          },
        })
        t.teardown(() => origin.close())
        const proxy = await startProxy(t, enforced(origin.port))
        const client = await proxy.connect()
        const authority = `api.example:${origin.port}`
        client.send(ask('GET', authority))
        t.equal((await client.response()).status, 200)
        const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`
        client.send(ask(method, authority, length) + body)
        const answer = await client.response({ bodyless: method === 'HEAD' })
        t.equal(answer.status, isSent ? 200 : 502)
        t.equal(seen, isSent ? 2 : 1)
        const decisions = proxy.records.filter(({ end }) => end === undefined)
        t.equal(decisions.length, 2, 'one record for each request')
      })
    }
    await t.test('and not a third time', async (t) => {
      let count = 0
      const origin = await startRawOrigin({
        onData: (socket) => {
          count++
          if (count === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
          else socket.destroy()
        },
      })
      t.teardown(() => origin.close())
      const proxy = await startProxy(t, enforced(origin.port))
      const client = await proxy.connect()
      const authority = `api.example:${origin.port}`
      client.send(ask('GET', authority))
      await client.response()
      client.send(ask('GET', authority))
      t.equal((await client.response()).status, 502)
      t.equal(count, 3)
    })
  },
)
