import type { Socket } from 'node:net'
import t from 'tap'
import { readBody, startOrigin, startRawOrigin } from '../support/origin.ts'
import { MiB } from '../../src/units.ts'
import { enforced, startProxy, withoutRules } from './proxy-fixture.ts'
import { whenAborted } from '../support/when-aborted.ts'
import { laneUnderTest } from '../support/settings-parts.ts'

const ask = (method: string, port: number, more = ''): string =>
  `${method} http://api.example:${port}/a?b HTTP/1.1\r\nHost: api.example:${port}\r\n${more}\r\n`

void t.test('ForwardRequest decides each request of a connection anew', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const { port } = origin
  const closed = await startRawOrigin({})
  await closed.close()
  const proxy = await startProxy(
    t,
    enforced(port, {
      egress: {
        ports: [port, closed.port],
        hosts: { 'api.example': ['127.0.0.1'] },
        privateAddresses: { 'api.example': ['127.0.0.1'] },
      },
    }),
  )
  const client = await proxy.connect()
  for (const [authority, status] of [
    [`api.example:${port}`, 200],
    [`other.example:${port}`, 403],
    [`API.EXAMPLE.:${port}`, 200],
    [`api.example:${closed.port}`, 502],
    [`api.example:${port}`, 200],
    ['api.example:1', 403],
    [`api.example:${port}`, 200],
  ] as const) {
    client.send(`GET http://${authority}/a?b HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
    const answer = await client.response()
    t.equal(answer.status, status, authority)
    t.ok(answer.complete)
  }
  t.equal(origin.seen.length, 4)
  t.ok(origin.seen.every((seen) => seen.url === '/a?b'))
  t.equal(origin.accepted(), 1, 'the connection to the destination is used again')
  t.equal(proxy.records.filter(({ end }) => end === undefined).length, 7)
})

void t.test('ForwardRequest answers pipelined requests in order', async (t) => {
  const origin = await startOrigin((request, response) => response.end(request.url))
  t.teardown(() => origin.close())
  const { port } = origin
  const proxy = await startProxy(t, enforced(port))
  const client = await proxy.connect()
  const get = (host: string, path: string): string =>
    `GET http://${host}:${port}${path} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`
  client.send(get('api.example', '/1') + get('other.example', '/2') + get('api.example', '/3'))
  t.equal((await client.response()).body, '/1')
  t.equal((await client.response()).status, 403)
  t.equal((await client.response()).body, '/3')
})

void t.test('ForwardRequest streams content both ways with any framing', async (t) => {
  const origin = await startOrigin((request, response) => {
    response.writeHead(200, request.url === '/length' ? { 'content-length': '11' } : {})
    request.pipe(response)
  })
  t.teardown(() => origin.close())
  const { port } = origin
  const proxy = await startProxy(t, enforced(port))
  const client = await proxy.connect()
  for (const method of ['POST', 'PUT', 'DELETE', 'GET', 'PATCH']) {
    client.send(`${ask(method, port, 'Content-Length: 11\r\n')}hello world`)
    t.equal((await client.response()).body, 'hello world', `${method} with a length`)
    client.send(
      `${ask(method, port, 'Transfer-Encoding: chunked\r\n')}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`,
    )
    t.equal((await client.response()).body, 'hello world', `${method} in chunks`)
  }
  client.send(ask('POST', port, 'Content-Length: 0\r\n'))
  t.equal((await client.response()).body, '')
  t.ok(origin.seen.every((seen) => seen.header('expect').length === 0))
})

void t.test('ForwardRequest passes answers on as they are', async (t) => {
  const big = 'x'.repeat(MiB)
  const cases: readonly { note: string; method?: string; answer: string; want: RegExp }[] = [
    {
      note: 'HEAD keeps the length',
      method: 'HEAD',
      answer: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
      want: /^HTTP\/1\.1 200 OK\r\nContent-Length: 5\r\n/,
    },
    {
      note: '204 has no content',
      answer: 'HTTP/1.1 204 No Content\r\nETag: "x"\r\n\r\n',
      want: /^HTTP\/1\.1 204 No Content\r\nETag: "x"\r\n(?!.*transfer-encoding)/is,
    },
    {
      note: '204 has no length either',
      answer: 'HTTP/1.1 204 No Content\r\nETag: "x"\r\nContent-Length: 3\r\n\r\n',
      want: /^HTTP\/1\.1 204 No Content\r\nETag: "x"\r\n(?!.*content-length)/is,
    },
    {
      note: 'our id goes on everything, whatever the destination says',
      answer:
        'HTTP/1.1 200 OK\r\nX-Ms-Request-Id: theirs\r\nX-Ringfence-Correlation-Id: forged\r\nContent-Length: 0\r\n\r\n',
      want: /^HTTP\/1\.1 200 OK\r\nX-Ms-Request-Id: theirs\r\nContent-Length: 0\r\nx-ringfence-correlation-id: id-1\r\n(?!.*forged)/is,
    },
    {
      note: '304 keeps its fields',
      answer: 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
      want: /^HTTP\/1\.1 304 Not Modified\r\nETag: "x"\r\n/,
    },
    {
      note: 'a redirect is not followed',
      answer: 'HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n',
      want: /^HTTP\/1\.1 302 Found\r\nLocation: http:\/\/evil\.example\/\r\n/,
    },
    {
      note: 'repeated fields stay apart',
      answer: 'HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n',
      want: /Set-Cookie: a\r\nSet-Cookie: b\r\n/,
    },
    {
      note: 'hop-by-hop fields and what Connection names go, bytes above 127 stay',
      answer:
        'HTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=7\r\nProxy-Authenticate: Basic\r\nX-Latin: caf\xe9\r\nContent-Length: 0\r\n\r\n',
      want: /^HTTP\/1\.1 200 OK\r\nX-Latin: caf\xe9\r\nContent-Length: 0\r\nx-ringfence-correlation-id: id-1\r\nx-ms-request-id: id-1\r\nvia: 1\.1 ringfence-0123456789abcdef\r\n(?!.*(x-hop|timeout=7|proxy-auth))/is,
    },
    {
      note: 'trailers follow',
      answer:
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\nKeep-Alive: no\r\n\r\n',
      // They may be dropped (RFC 9110 6.5.1), and the relay drops them.
      want: laneUnderTest === 'library' ? /\r\n0\r\nX-Sum: 1\r\n\r\n$/ : /\r\n0\r\n\r\n$/,
    },
    {
      note: 'early hints pass without what is for the answer, our own 100 is not theirs',
      answer:
        'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nContent-Length: 5\r\nX-Ms-Request-Id: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      want: /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
    },
    {
      note: '100 that nobody asked for is read over',
      answer:
        'HTTP/1.1 100 Continue\r\nX: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\nHTTP/1.1 100 Continue\r\n',
      want: /^HTTP\/1\.1 103 Early Hints\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nHTTP\/1\.1 100 Continue\r\n$/,
    },
    {
      note: 'content that ends with the connection becomes chunks',
      answer: `HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${big}`,
      want: /^HTTP\/1\.1 200 OK\r\n.*transfer-encoding: chunked\r\n.*\r\n0\r\n\r\n$/is,
    },
  ]
  for (const { note, method = 'GET', answer, want } of cases) {
    await t.test(note, async (t) => {
      const origin = await startRawOrigin({
        onData: (socket, text) => {
          if (!text.includes('\r\n\r\n')) return
          socket.end(answer, 'latin1')
        },
      })
      t.teardown(() => origin.close())
      const proxy = await startProxy(t, enforced(origin.port))
      const client = await proxy.connect()
      client.send(ask(method, origin.port, 'Connection: close\r\n'))
      const { text, how } = await client.rest()
      t.match(text, want)
      t.equal(how, 'end')
    })
  }
})

void t.test('ForwardRequest cuts the client off where the answer breaks off', async (t) => {
  const cases: readonly { note: string; answer: string; cut: 'end' | 'reset'; version?: string }[] =
    [
      {
        note: 'short of its length',
        answer: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf',
        cut: 'end',
      },
      {
        note: 'between two chunks',
        answer: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
        cut: 'end',
      },
      {
        note: 'with a reset, short of its length',
        answer: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf',
        cut: 'reset',
      },
      {
        note: 'with a reset, of content that ends with the connection',
        answer: 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf',
        cut: 'reset',
      },
      {
        note: 'with a reset, of content that ends with the connection, to an HTTP/1.0 client',
        answer: 'HTTP/1.1 200 OK\r\n\r\nhalf',
        cut: 'reset',
        version: '1.0',
      },
      {
        note: 'in a chunk that is none',
        answer: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n',
        cut: 'end',
      },
    ]
  for (const { note, answer, cut, version = '1.1' } of cases) {
    await t.test(note, async (t) => {
      const origin = await startRawOrigin({
        onData: (socket, text) => {
          if (!text.includes('\r\n\r\n')) return
          socket.write(answer, () =>
            setTimeout(() => void (cut === 'end' ? socket.end() : socket.resetAndDestroy()), 20),
          )
        },
      })
      t.teardown(() => origin.close())
      const proxy = await startProxy(t, enforced(origin.port))
      const client = await proxy.connect()
      client.send(ask('GET', origin.port).replace('HTTP/1.1', `HTTP/${version}`))
      const { text, how } = await client.rest()
      t.notMatch(text, /\r\n0\r\n\r\n$/)
      t.equal(how, 'reset')
      t.match((await proxy.endLine()).end?.closeReason, /^backend-(reset|invalid)$/)
    })
  }
})

void t.test('ForwardRequest answers for a destination whose answer is none', async (t) => {
  const cases: readonly (readonly [note: string, answer: string, reason: RegExp])[] = [
    ['nothing', '', /^backend-reset$/],
    ['a head cut short', 'HTTP/1.1 200 OK\r\nContent-', /^backend-reset$/],
    ['a status line cut short', 'HTTP/1.', /^backend-reset$/],
    ['hints and nothing more', 'HTTP/1.1 103 Early Hints\r\n\r\n', /^backend-reset$/],
    ['100 and nothing more', 'HTTP/1.1 100 Continue\r\n\r\n', /^backend-reset$/],
    ['a flood of 100', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(5000), /^backend-invalid$/],
    [
      'a head that is none, behind hints',
      'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      /^backend-invalid$/,
    ],
    ['no HTTP', 'SSH-2.0-OpenSSH_9\r\n', /^backend-invalid$/],
    ['a status below 100', 'HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n', /^backend-invalid$/],
    [
      'an upgrade that nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
      /^backend-invalid$/,
    ],
    [
      'two lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      /^backend-invalid$/,
    ],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^backend-invalid$/,
    ],
    [
      'a transfer coding that we would take off',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      /^backend-invalid$/,
    ],
    ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(64 * 1024)}`, /^backend-invalid$/],
    [
      'a flood of interim answers',
      'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(5000),
      /^backend-invalid$/,
    ],
    [
      'a control character in a field',
      'HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n',
      /^backend-invalid$/,
    ],
  ]
  for (const [note, answer, reason] of cases) {
    await t.test(note, async (t) => {
      const origin = await startRawOrigin({
        onData: (socket, text) => {
          if (text.includes('\r\n\r\n')) socket.end(answer, 'latin1')
        },
      })
      t.teardown(() => origin.close())
      const proxy = await startProxy(t, enforced(origin.port))
      const client = await proxy.connect()
      client.send(ask('GET', origin.port))
      let response = await client.response()
      while (response.status === 103) response = await client.response()
      t.equal(response.status, 502)
      t.match((await proxy.endLine()).end?.closeReason, reason)
      client.send(ask('GET', 1))
      t.equal((await client.response()).status, 403, 'the connection of the client goes on')
    })
  }
})

void t.test('ForwardRequest asks for content only where it is allowed and connected', async (t) => {
  const bodies: string[] = []
  const origin = await startOrigin((request, response) => {
    void readBody(request).then((body) => {
      bodies.push(body.toString())
      response.end('thanks')
    })
  })
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port))
  const expecting = 'Expect: 100-continue\r\nContent-Length: 5\r\n'
  const denied = await proxy.connect()
  denied.send(ask('POST', 1, expecting))
  t.equal((await denied.response()).status, 403, 'never 100')
  const allowed = await proxy.connect()
  allowed.send(ask('POST', origin.port, expecting))
  t.equal((await allowed.response()).status, 100)
  allowed.send('hello')
  t.equal((await allowed.response()).body, 'thanks')
  t.same(bodies, ['hello'])
})

void t.test('ForwardRequest refuses an expectation that it does not know', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port))
  const client = await proxy.connect()
  client.send(`${ask('POST', origin.port, 'Expect: magic\r\nContent-Length: 5\r\n')}again`)
  t.equal((await client.response()).status, 400)
  t.equal((await client.rest()).text, '')
  t.equal(origin.seen.length, 0)
  t.match(proxy.records, [{ decision: { reason: 'bad-request' }, detail: 'unknown expectation' }])
})

void t.test('ForwardRequest answers a refused upload and closes its connection', async (t) => {
  const proxy = await startProxy(t, enforced(443))
  const client = await proxy.connect()
  client.send(ask('POST', 1, 'Content-Length: 1000000\r\n'))
  const answer = await client.response()
  t.equal(answer.status, 403)
  t.equal(answer.header('connection'), 'close')
  t.ok(answer.complete, 'although content is still to come')
  client.send('x'.repeat(1000))
  client.end()
  t.equal((await client.rest()).text, '')
})

void t.test(
  'ForwardRequest passes on an answer that comes before the end of the upload',
  async (t) => {
    const origin = await startRawOrigin({
      onData: (socket, text) => {
        if (!text.includes('\r\n\r\n')) return
        socket.end(
          'HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno',
        )
      },
    })
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port))
    const client = await proxy.connect()
    client.send(`${ask('POST', origin.port, 'Content-Length: 100\r\n')}some`)
    const answer = await client.response()
    t.equal(answer.status, 413)
    t.equal(answer.body, 'no')
    client.send('x'.repeat(96) + ask('GET', 1))
    if (laneUnderTest === 'library') {
      t.equal((await client.response()).status, 403, 'the rest of the upload is no request')
    } else {
      t.equal(answer.header('connection'), 'close')
      t.same(await client.rest(), { text: '', how: 'end' })
    }
  },
)

void t.test('ForwardRequest is judged again while it is under way', async (t) => {
  await t.test('a streaming answer is cut', async (t) => {
    const origin = await startOrigin((_, response) => void response.write('first'))
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port))
    const client = await proxy.connect()
    client.send(ask('GET', origin.port))
    await client.until('first')
    await proxy.swap(withoutRules(origin.port))
    t.equal((await client.rest()).how, 'reset')
    t.equal((await proxy.endLine()).end?.closeReason, 'policy-revoked')
  })
  await t.test('who waits for an answer is refused', async (t) => {
    const arrived = Promise.withResolvers<void>()
    const origin = await startOrigin(() => arrived.resolve())
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port))
    const client = await proxy.connect()
    client.send(ask('GET', origin.port))
    await arrived.promise
    await proxy.swap(withoutRules(origin.port))
    const answer = await client.response()
    t.equal(answer.status, 403)
    t.equal(JSON.parse(answer.body).error.innererror.reason, 'policy-revoked')
  })
  await t.test('a swap inside the dial lets nothing through', async (t) => {
    const origin = await startOrigin()
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port), {
      dial: (real, swap) => async (request) => {
        const dialled = await real(request)
        swap(withoutRules(origin.port))
        return dialled
      },
    })
    const client = await proxy.connect()
    client.send(ask('GET', origin.port))
    t.equal((await client.response()).status, 403)
    t.equal((await proxy.endLine()).end?.closeReason, 'policy-revoked')
    t.equal(origin.seen.length, 0)
  })
})

void t.test('ForwardRequest stops working for a client that goes away', async (t) => {
  const arrived = Promise.withResolvers<void>()
  const gone = Promise.withResolvers<void>()
  const origin = await startOrigin((request) => {
    request.socket.once('close', () => gone.resolve())
    arrived.resolve()
  })
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port))
  const client = await proxy.connect()
  client.send(ask('GET', origin.port))
  await arrived.promise
  client.destroy()
  await gone.promise
  t.match((await proxy.endLine()).end?.closeReason, /^client-(closed|reset)$/)
})

void t.test(
  'ForwardRequest stops resolving and dialling for a client that goes away',
  async (t) => {
    for (const stage of ['resolve', 'dial'] as const) {
      await t.test(stage, async (t) => {
        const begun = Promise.withResolvers<void>()
        const parts = enforced(
          443,
          stage === 'resolve' ? { egress: { ports: [443], hosts: {} } } : {},
        )
        const proxy = await startProxy(t, parts, {
          resolve: async () => {
            begun.resolve()
            return new Promise(() => undefined)
          },
          dial:
            () =>
            async ({ signal }) => {
              begun.resolve()
              await whenAborted(signal)
              return { kind: 'failed', reason: 'connect-failed' }
            },
        })
        const client = await proxy.connect()
        client.send(ask('GET', 443))
        await begun.promise
        client.destroy()
        t.match((await proxy.endLine()).end?.closeReason, /^client-(closed|reset)$/)
        t.equal(proxy.records.length, 2)
        t.equal(proxy.proxy.open, 0)
      })
    }
  },
)

void t.test('ForwardRequest writes an end line for what lasted', async (t) => {
  const origin = await startOrigin((_, response) => void response.end('hello'))
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port, { endLineAfterMs: 0 }))
  const client = await proxy.connect()
  client.send(`${ask('POST', origin.port, 'Content-Length: 3\r\n')}abc`)
  await client.response()
  t.match((await proxy.endLine()).end, { bytesIn: 3, bytesOut: 5, closeReason: 'complete' })
})

void t.test(
  'ForwardRequest: a client that leaves after an early answer is denied nothing',
  async (t) => {
    const origin = await startRawOrigin({
      onData: (socket, text) => {
        if (text.includes('\r\n\r\n')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      },
    })
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port))
    const client = await proxy.connect()
    client.send(`${ask('POST', origin.port, 'Content-Length: 100\r\n')}some`)
    t.equal((await client.response()).status, 200)
    client.end()
    await client.rest()
    await proxy.proxy.close()
    t.same(
      proxy.records.filter(({ decision }) => decision.effect === 'deny'),
      [],
    )
  },
)

void t.test('ForwardRequest: after a head that reads two ways the connection ends', async (t) => {
  const proxy = await startProxy(t, enforced(443))
  const client = await proxy.connect()
  client.send(ask('GET', 443, 'Transfer_Encoding: chunked\r\n'))
  const response = await client.response()
  t.equal(response.status, 400)
  t.equal(response.header('connection'), 'close')
  t.equal((await client.rest()).how, 'end')
})

void t.test('ForwardRequest: a stray byte never ends an answer as if it were whole', async (t) => {
  for (const isWhole of [true, false]) {
    const begun = Promise.withResolvers<Socket>()
    const origin = await startRawOrigin({
      onData: (socket, text) => {
        if (!text.includes('\r\n\r\n')) return
        socket.write('HTTP/1.1 200 OK\r\n\r\nhalf')
        begun.resolve(socket)
      },
    })
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port))
    const client = await proxy.connect()
    client.send(ask('GET', origin.port).replace('HTTP/1.1', 'HTTP/1.0'))
    await client.until('half')
    client.send('\x01')
    const socket = await begun.promise
    if (isWhole) socket.end(', whole')
    else socket.resetAndDestroy()
    t.match(await client.rest(), isWhole ? { text: ', whole', how: 'end' } : { how: 'reset' })
    if (!isWhole) t.equal((await proxy.endLine()).end?.closeReason, 'backend-reset')
  }
})

void t.test(
  'ForwardRequest: a client that ends inside its content gets no whole answer',
  async (t) => {
    const origin = await startRawOrigin({
      onData: (socket, text) => {
        if (text.includes('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\n\r\nhalf')
      },
    })
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port))
    const client = await proxy.connect()
    const head = ask('POST', origin.port).replace('HTTP/1.1', 'HTTP/1.0')
    client.send(`${head.slice(0, -2)}Content-Length: 9\r\n\r\nfour`)
    await client.until('half')
    client.end()
    t.equal((await client.rest()).how, 'reset')
    t.equal((await proxy.endLine()).end?.closeReason, 'client-closed')
  },
)
