import t from 'tap'
import { openShop, startInbound } from '../support/inbound-world.ts'
import { readBody, startOrigin, startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'

/**
 * What arrives must mean one thing, whoever reads it after us. Each attempt is one connection's bytes; behind it stands
 * a request for `/smuggled` that no back end may ever see as a request of its own. Threats 2.4; the CVEs name where the
 * same was found in others.
 */

const host = 'Host: orders.test\r\n'
const smuggled = `GET /smuggled HTTP/1.1\r\n${host}\r\n`

interface Attempt {
  readonly note: string
  readonly bytes: string
}

const refused: readonly Attempt[] = [
  {
    note: 'CL.TE',
    bytes: `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  },
  {
    note: 'TE.CL',
    bytes: `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
  },
  {
    note: 'two lengths',
    bytes: `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`,
  },
  {
    note: 'the same length twice',
    bytes: `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`,
  },
  {
    note: 'lengths as a list',
    bytes: `POST / HTTP/1.1\r\n${host}Content-Length: 5, 5\r\n\r\nhello`,
  },
  {
    note: 'length with a sign (CVE-2020-15049)',
    bytes: `POST / HTTP/1.1\r\n${host}Content-Length: +5\r\n\r\nhello`,
  },
  { note: 'negative length', bytes: `POST / HTTP/1.1\r\n${host}Content-Length: -5\r\n\r\nhello` },
  { note: 'quoted length', bytes: `POST / HTTP/1.1\r\n${host}Content-Length: "5"\r\n\r\nhello` },
  {
    note: 'hexadecimal length',
    bytes: `POST / HTTP/1.1\r\n${host}Content-Length: 0x5\r\n\r\nhello`,
  },
  {
    note: 'length that overflows',
    bytes: `POST / HTTP/1.1\r\n${host}Content-Length: 18446744073709551617\r\n\r\nhello`,
  },
  { note: 'empty length', bytes: `POST / HTTP/1.1\r\n${host}Content-Length: \r\n\r\nhello` },
  {
    note: 'TE xchunked',
    bytes: `POST / HTTP/1.1\r\n${host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
  },
  {
    note: 'TE chunked, identity',
    bytes: `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  },
  { note: 'TE identity', bytes: `POST / HTTP/1.1\r\n${host}Transfer-Encoding: identity\r\n\r\n` },
  {
    note: 'TE gzip, chunked',
    bytes: `POST / HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  },
  {
    note: 'TE , chunked',
    bytes: `POST / HTTP/1.1\r\n${host}Transfer-Encoding: , chunked\r\n\r\n0\r\n\r\n`,
  },
  {
    note: 'TE twice',
    bytes: `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  },
  {
    note: 'TE with a vertical tab',
    bytes: `POST / HTTP/1.1\r\n${host}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n`,
  },
  {
    note: 'TE with NBSP',
    bytes: `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\xa0\r\n\r\n0\r\n\r\n`,
  },
  {
    note: 'TE on a folded line',
    bytes: `POST / HTTP/1.1\r\n${host}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`,
  },
  {
    note: 'TE in HTTP/1.0',
    bytes: `POST / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  },
  {
    note: 'Transfer_Encoding',
    bytes: `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer_Encoding: chunked\r\n\r\n0\r\n\r\n`,
  },
  {
    note: 'Content_Length',
    bytes: `POST / HTTP/1.1\r\n${host}Content-Length: 0\r\nContent_Length: 5\r\n\r\n`,
  },
  {
    note: 'Connection names content-length',
    bytes: `POST / HTTP/1.1\r\n${host}Connection: content-length\r\nContent-Length: 5\r\n\r\nhello`,
  },
  {
    note: 'space before the colon',
    bytes: `POST / HTTP/1.1\r\n${host}Content-Length : 5\r\n\r\nhello`,
  },
  { note: 'folded field', bytes: `GET / HTTP/1.1\r\n${host}X-A: 1\r\n X-B: 2\r\n\r\n` },
  { note: 'bare LF behind a field', bytes: `GET / HTTP/1.1\r\n${host}X-A: 1\nX-B: 2\r\n\r\n` },
  { note: 'bare CR in a value', bytes: `GET / HTTP/1.1\r\n${host}X-A: 1\rX-B: 2\r\n\r\n` },
  { note: 'NUL in a value', bytes: `GET / HTTP/1.1\r\n${host}X-A: 1\0\r\n\r\n` },
  { note: 'a line without a colon', bytes: `GET / HTTP/1.1\r\n${host}X-A\r\n\r\n` },
  { note: 'an empty name', bytes: `GET / HTTP/1.1\r\n${host}: 1\r\n\r\n` },
  { note: 'two Hosts', bytes: `GET / HTTP/1.1\r\n${host}Host: other.test\r\n\r\n` },
  { note: 'the same Host twice', bytes: `GET / HTTP/1.1\r\n${host}${host}\r\n` },
  {
    note: 'a second Host behind a blank (CVE-2016-4554)',
    bytes: `GET / HTTP/1.1\r\n Host: other.test\r\n${host}\r\n`,
  },
  { note: 'Host as a list', bytes: 'GET / HTTP/1.1\r\nHost: orders.test, other.test\r\n\r\n' },
  { note: 'Host with userinfo', bytes: 'GET / HTTP/1.1\r\nHost: orders.test@other.test\r\n\r\n' },
  { note: 'Host with a path', bytes: 'GET / HTTP/1.1\r\nHost: orders.test/x\r\n\r\n' },
  {
    note: 'Host in brackets (CVE-2022-29188)',
    bytes: 'GET / HTTP/1.1\r\nHost: [orders.test]\r\n\r\n',
  },
  {
    note: 'Host with a port that is none (CVE-2025-63938)',
    bytes: 'GET / HTTP/1.1\r\nHost: orders.test:99999\r\n\r\n',
  },
  { note: 'no Host', bytes: 'GET / HTTP/1.1\r\nX-A: 1\r\n\r\n' },
  { note: 'no Host in HTTP/1.0', bytes: 'GET / HTTP/1.0\r\n\r\n' },
  { note: 'absolute-form', bytes: `GET http://orders.test/ HTTP/1.1\r\n${host}\r\n` },
  {
    note: 'absolute-form for another host',
    bytes: `GET http://other.test/ HTTP/1.1\r\n${host}\r\n`,
  },
  { note: 'OPTIONS *', bytes: `OPTIONS * HTTP/1.1\r\n${host}\r\n` },
  { note: 'CONNECT', bytes: 'CONNECT orders.test:80 HTTP/1.1\r\nHost: orders.test:80\r\n\r\n' },
  { note: 'white space in the target (CVE-2020-25097)', bytes: `GET /a b HTTP/1.1\r\n${host}\r\n` },
  { note: 'a fragment in the target', bytes: `GET /a#b HTTP/1.1\r\n${host}\r\n` },
  { note: 'a backslash in the target', bytes: `GET /a\\..\\b HTTP/1.1\r\n${host}\r\n` },
  { note: 'bytes beyond ASCII in the target', bytes: `GET /\xe9 HTTP/1.1\r\n${host}\r\n` },
  { note: 'HTTP/1.10', bytes: `GET / HTTP/1.10\r\n${host}\r\n` },
  { note: 'HTTP/2.0 on the request line', bytes: `GET / HTTP/2.0\r\n${host}\r\n` },
  { note: 'http/1.1', bytes: `GET / http/1.1\r\n${host}\r\n` },
  { note: 'HTTP/0.9', bytes: 'GET /\r\n\r\n' },
  { note: 'a method in lower case', bytes: `get / HTTP/1.1\r\n${host}\r\n` },
]

void t.test(
  'what reads in more than one way is refused, and nothing behind it is read',
  async (t) => {
    for (const attempt of refused) {
      await t.test(attempt.note, async (t) => {
        const origin = await startRawOrigin({
          onData: (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
        })
        t.teardown(() => origin.close())
        const world = await startInbound(t, openShop(`http://${origin.authority}`))
        const client = await connectRaw(world)
        client.send(attempt.bytes + smuggled)
        const response = await client.response()
        t.equal(response.status, 400)
        t.equal(response.header('connection'), 'close')
        t.match(response.body, '"reason":"bad-request"')
        t.match(world.records, [{ decision: { effect: 'deny', reason: 'bad-request' } }])
        t.equal((await client.rest()).text, '')
        t.equal(origin.accepted(), 0)
        t.equal(world.proxy.open, 0)
        client.destroy()
      })
    }
  },
)

const brokenBodies: readonly Attempt[] = [
  { note: 'a chunk size that is none', bytes: 'x\r\nabc\r\n0\r\n\r\n' },
  { note: 'a chunk size with 0x', bytes: '0x3\r\nabc\r\n0\r\n\r\n' },
  { note: 'a chunk size with a sign', bytes: '+3\r\nabc\r\n0\r\n\r\n' },
  { note: 'a chunk size with an underscore', bytes: '0_3\r\nabc\r\n0\r\n\r\n' },
  {
    note: 'a chunk size that overflows (CVE-2026-3945)',
    bytes: '10000000000000003\r\nabc\r\n0\r\n\r\n',
  },
  { note: 'a blank before the chunk size', bytes: ' 3\r\nabc\r\n0\r\n\r\n' },
  { note: 'bare LF behind the chunk size', bytes: '3\nabc\r\n0\r\n\r\n' },
  { note: 'bare LF behind the chunk', bytes: '3\r\nabc\n0\r\n\r\n' },
  { note: 'more than the chunk says', bytes: '3\r\nabcdef\r\n0\r\n\r\n' },
]

void t.test(
  'a body that breaks its framing breaks its request, and nothing behind it is read',
  async (t) => {
    for (const { note, bytes } of brokenBodies) {
      await t.test(note, async (t) => {
        const seen: string[] = []
        const origin = await startOrigin((request, response) => {
          seen.push(request.url ?? '')
          readBody(request).then(
            () => response.end('whole'),
            () => response.destroy(),
          )
        })
        t.teardown(() => origin.close())
        const world = await startInbound(t, openShop(origin.url))
        const client = await connectRaw(world)
        client.send(
          `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${bytes}${smuggled}`,
        )
        const response = await client.response()
        t.equal(response.status, 400)
        t.equal((await client.rest()).text, '')
        t.notMatch(seen, ['/smuggled'])
        t.match(await world.record(({ end }) => end !== undefined), {
          end: { closeReason: 'client-invalid' },
        })
      })
    }
  },
)

void t.test('a body on a method that has none usually stays a body', async (t) => {
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH']) {
    for (const [note, framing, body] of [
      ['length', `Content-Length: ${smuggled.length}`, smuggled],
      [
        'chunks',
        'Transfer-Encoding: chunked',
        `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
      ],
    ] as const) {
      await t.test(`${method} with ${note}`, async (t) => {
        const bodies: string[] = []
        const origin = await startOrigin((request, response) => {
          void readBody(request).then((bytes) => {
            bodies.push(bytes.toString())
            response.end()
          })
        })
        t.teardown(() => origin.close())
        const world = await startInbound(t, openShop(origin.url))
        const client = await connectRaw(world)
        client.send(`${method} /a HTTP/1.1\r\n${host}${framing}\r\n\r\n${body}`)
        t.equal((await client.response({ bodyless: method === 'HEAD' })).status, 200)
        client.send(`GET /b HTTP/1.1\r\n${host}\r\n`)
        t.equal((await client.response()).status, 200)
        t.strictSame(
          origin.seen.map(({ url }) => url),
          ['/a', '/b'],
        )
        t.strictSame(bodies, [smuggled, ''])
        client.destroy()
      })
    }
  }
})

void t.test('what is not valid behind a request lets that request have its answer', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const client = await connectRaw(world)
  client.send(`GET /first HTTP/1.1\r\n${host}\r\nGET / HTTP/1.1\r\nHost orders\r\n\r\n${smuggled}`)
  t.equal((await client.response()).status, 200)
  t.equal((await client.response()).status, 400)
  t.equal((await client.rest()).text, '')
  t.strictSame(
    origin.seen.map(({ url }) => url),
    ['/first'],
  )
})

void t.test('bytes that are not HTTP at all get silence and no record', async (t) => {
  const world = await startInbound(t, openShop('http://127.0.0.1:1'))
  for (const bytes of ['\x16\x03\x01\x02\x00\x01\x00', '\x00\x00\x00\x10', '\xff\xff']) {
    const client = await connectRaw(world)
    client.send(bytes)
    t.equal((await client.rest()).text, '')
  }
  t.equal(world.records.length, 0)
})

void t.test('a path goes on byte for byte', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const client = await connectRaw(world)
  const paths = [
    '//a//b',
    '/a?',
    '/a?b?c',
    '/?',
    '/a/./../b',
    '/%2e%2e/%00',
    '/a;b=c',
    '/..;/x',
    '/a?x=%20&y=+',
    '/a%',
    '//other.test/x',
  ]
  for (const path of paths) {
    client.send(`GET ${path} HTTP/1.1\r\n${host}\r\n`)
    t.equal((await client.response()).status, 200, path)
  }
  t.strictSame(
    origin.seen.map(({ url }) => url),
    paths,
  )
  client.destroy()
})
