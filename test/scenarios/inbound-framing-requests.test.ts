import t, { type Test } from 'tap'
import { openShop, startInbound } from '../support/inbound-world.ts'
import {
  answerRaw,
  type RawOrigin,
  readBody,
  startOrigin,
  startRawOrigin,
} from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { readRequests, withoutForwarding } from '../support/read-messages.ts'

/**
 * How many requests a back end sees, and which bytes: one that reads strictly, as Node does, and one that takes whatever
 * comes. What is refused is in `inbound-smuggling`; here is what is let through, and what breaks on its way.
 */

const host = 'Host: orders.test\r\n'
const smuggled = `GET /smuggled HTTP/1.1\r\n${host}\r\n`
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'

/** Answers each request that is whole, and keeps what arrived. */
async function startLenient(t: Test): Promise<RawOrigin> {
  const answered = new Map<unknown, number>()
  const origin = await startRawOrigin({
    onData(socket, text) {
      const { requests } = readRequests(text)
      for (let count = answered.get(socket) ?? 0; count < requests.length; count++) socket.write(ok)
      answered.set(socket, requests.length)
    },
  })
  t.teardown(() => origin.close())
  return origin
}

interface Through {
  readonly note: string
  readonly bytes: string
  /** `line body`, of each request that the origin is to see. */
  readonly want: readonly string[]
}

const through: readonly Through[] = [
  {
    note: 'a length, and the next request in one packet',
    bytes: `POST /a HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\n${host}\r\n`,
    want: ['POST /a HTTP/1.1 hello', 'GET /b HTTP/1.1 '],
  },
  {
    note: 'a body that looks like a request',
    bytes: `POST /a HTTP/1.1\r\n${host}Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    want: [`POST /a HTTP/1.1 ${smuggled}`],
  },
  {
    note: 'chunks, and the next request in one packet',
    bytes: `POST /a HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\nGET /b HTTP/1.1\r\n${host}\r\n`,
    want: ['POST /a HTTP/1.1 hello', 'GET /b HTTP/1.1 '],
  },
  {
    note: 'a chunk that looks like the end and a request',
    bytes: `POST /a HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${(5 + smuggled.length).toString(16)}\r\n0\r\n\r\n${smuggled}\r\n0\r\n\r\n`,
    want: [`POST /a HTTP/1.1 0\r\n\r\n${smuggled}`],
  },
  {
    note: 'trailers that would be fields',
    bytes: `POST /a HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nHost: other.test\r\nSet-Cookie: a\r\n\r\nGET /b HTTP/1.1\r\n${host}\r\n`,
    want: ['POST /a HTTP/1.1 a', 'GET /b HTTP/1.1 '],
  },
  {
    note: 'chunk extensions',
    bytes: `POST /a HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n1;a="b"\r\na\r\n0;c\r\n\r\n`,
    want: ['POST /a HTTP/1.1 a'],
  },
  {
    note: 'GET and DELETE with bodies',
    bytes: `GET /a HTTP/1.1\r\n${host}Content-Length: 2\r\n\r\nhiDELETE /b HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n2\r\nho\r\n0\r\n\r\n`,
    want: ['GET /a HTTP/1.1 hi', 'DELETE /b HTTP/1.1 ho'],
  },
  {
    note: 'HTTP/1.0 with a length',
    bytes: `POST /a HTTP/1.0\r\n${host}Content-Length: 2\r\nConnection: keep-alive\r\n\r\nhiGET /b HTTP/1.0\r\n${host}\r\n`,
    want: ['POST /a HTTP/1.1 hi', 'GET /b HTTP/1.1 '],
  },
  {
    note: 'Expect with its body at once',
    bytes: `POST /a HTTP/1.1\r\n${host}Content-Length: 2\r\nExpect: 100-continue\r\n\r\nhi`,
    want: ['POST /a HTTP/1.1 hi'],
  },
  {
    note: 'Expect without a body',
    bytes: `GET /a HTTP/1.1\r\n${host}Expect: 100-continue\r\n\r\nGET /b HTTP/1.1\r\n${host}\r\n`,
    want: ['GET /a HTTP/1.1 ', 'GET /b HTTP/1.1 '],
  },
  {
    note: 'an empty line between two requests',
    bytes: `GET /a HTTP/1.1\r\n${host}\r\n\r\nGET /b HTTP/1.1\r\n${host}\r\n`,
    want: ['GET /a HTTP/1.1 ', 'GET /b HTTP/1.1 '],
  },
]

async function sendAndCount(
  t: Test,
  where: { port: number },
  { bytes, answers, pieceLength }: { bytes: string; answers: number; pieceLength: number },
): Promise<void> {
  const client = await connectRaw(where)
  for (let at = 0; at < bytes.length; at += pieceLength) {
    client.send(bytes.slice(at, at + pieceLength))
    if (pieceLength < bytes.length) await new Promise((resolve) => setImmediate(resolve))
  }
  for (let answer = 0; answer < answers;) {
    const { status } = await client.response()
    if (status === 100) continue
    t.equal(status, 200)
    answer++
  }
  client.destroy()
}

for (const { note, bytes, want } of through) {
  void t.test(`as many requests as were sent, with their bytes: ${note}`, async (t) => {
    const lenient = await startLenient(t)
    const seen: string[] = []
    const strict = await startOrigin((request, response) => {
      void readBody(request).then((body) => {
        seen.push(`${request.method} ${request.url} HTTP/1.1 ${body.toString('latin1')}`)
        response.end()
      })
    })
    t.teardown(() => strict.close())
    for (const origin of [lenient, strict]) {
      for (const pieceLength of [bytes.length, 1]) {
        const world = await startInbound(t, openShop(`http://${origin.authority}`))
        await sendAndCount(t, world, { bytes, answers: want.length, pieceLength })
      }
    }
    t.strictSame(seen, [...want, ...want])
    const read = lenient.received.map(readRequests)
    t.strictSame(
      read.flatMap(({ requests }) => requests.map(({ line, body }) => `${line} ${body}`)),
      [...want, ...want],
    )
    t.strictSame(
      read.map(({ rest }) => rest).filter((rest) => rest !== ''),
      [],
    )
    const fields = read.flatMap(({ requests }) => requests).flatMap((request) => request.fields)
    t.strictSame(
      withoutForwarding(fields).filter(
        (field) =>
          !/^(?:host: orders.test|content-length: |transfer-encoding: chunked)/.test(field),
      ),
      [],
      'no trailer, no Expect',
    )
  })
}

/** Bodies whose framing breaks; the origin may see their beginning, never an end and never what follows. */
const broken: readonly { note: string; bytes: string }[] = [
  { note: 'a size that is none', bytes: 'x\r\nabc\r\n' },
  { note: 'a size with 0x', bytes: '0x3\r\nabc\r\n' },
  { note: 'a size that overflows', bytes: '10000000000000003\r\nabc\r\n' },
  { note: 'a blank in front of the size', bytes: ' 3\r\nabc\r\n' },
  { note: 'a blank behind the size', bytes: '3 \r\nabc\r\n' },
  { note: 'bare LF behind the size', bytes: '3\nabc\r\n' },
  { note: 'bare CR behind the size', bytes: '3\rabc\r\n' },
  { note: 'bare LF in an extension (CVE-2025-22871)', bytes: '3;a\nabc\r\n' },
  {
    note: 'an extension without end (CVE-2023-39326)',
    bytes: `3;${'a'.repeat(20_000)}\r\nabc\r\n`,
  },
  { note: 'bare LF behind the chunk', bytes: '3\r\nabc\n' },
  { note: 'more than the chunk says', bytes: '3\r\nabcdef\r\n' },
  { note: 'less than the chunk says', bytes: '5\r\nabc\r\n' },
  { note: 'bare LF at the end', bytes: '3\r\nabc\r\n0\n\n' },
  { note: 'a trailer with a blank before its colon', bytes: '3\r\nabc\r\n0\r\nA : b\r\n' },
  { note: 'a folded trailer', bytes: '3\r\nabc\r\n0\r\nA: b\r\n c\r\n' },
  { note: 'a length as a trailer', bytes: '3\r\nabc\r\n0\r\nContent-Length: 5\r\n' },
  { note: 'a coding as a trailer', bytes: '3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n' },
  { note: 'a trailer with a control', bytes: '3\r\nabc\r\n0\r\nA: \0\r\n' },
]

for (const { note, bytes } of broken) {
  void t.test(`a body that breaks ends for nobody: ${note}`, async (t) => {
    let strictEnds = 0
    const strict = await startOrigin((request, response) => {
      request.once('end', () => strictEnds++)
      readBody(request).then(
        () => response.end('whole'),
        () => response.destroy(),
      )
    })
    const lenient = await startRawOrigin({})
    for (const origin of [strict, lenient]) {
      t.teardown(() => origin.close())
      for (const pieceLength of [bytes.length * 2, bytes.length > 1000 ? 500 : 1]) {
        const world = await startInbound(t, openShop(`http://${origin.authority}`))
        const client = await connectRaw(world)
        const sent = `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${bytes}0\r\n\r\n${smuggled}`
        for (let at = 0; at < sent.length; at += pieceLength) {
          client.send(sent.slice(at, at + pieceLength))
          if (pieceLength < bytes.length) await new Promise((resolve) => setImmediate(resolve))
        }
        t.equal((await client.response()).status, 400)
        t.equal((await client.rest()).text, '')
        client.destroy()
        await world.quiet()
        t.match(world.records.at(-1), { end: { closeReason: 'client-invalid' } })
      }
    }
    t.equal(strictEnds, 0)
    t.strictSame(
      strict.seen.map(({ url }) => url).filter((url) => url !== '/'),
      [],
    )
    for (const text of lenient.received) {
      t.strictSame(readRequests(text).requests, [], 'no whole request')
      t.notMatch(text, '/smuggled')
    }
  })
}

void t.test('a length that the client does not keep never ends for a back end', async (t) => {
  const lenient = await startRawOrigin({})
  t.teardown(() => lenient.close())
  for (const how of ['end', 'destroy'] as const) {
    const world = await startInbound(t, openShop(`http://${lenient.authority}`))
    const client = await connectRaw(world)
    client.send(`POST / HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nhello`)
    while (!lenient.received.some((text) => text.endsWith('hello'))) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    client[how]()
    await world.quiet()
    t.match(await world.record(({ end }) => end !== undefined), {
      end: { closeReason: /^client-(?:closed|reset)$/ },
    })
    client.destroy()
  }
  for (const text of lenient.received) t.strictSame(readRequests(text).requests, [])
})

void t.test('what comes behind an answer that came early is part of no request', async (t) => {
  const origin = await startRawOrigin({ onData: answerRaw(ok) })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(`http://${origin.authority}`))
  const client = await connectRaw(world)
  client.send(`POST / HTTP/1.1\r\n${host}Content-Length: 1000\r\n\r\nabc`)
  t.equal((await client.response()).status, 200)
  client.send(smuggled.repeat(3))
  t.equal((await client.rest()).text, '')
  client.destroy()
  const next = await connectRaw(world)
  next.send(`GET /next HTTP/1.1\r\n${host}\r\n`)
  t.equal((await next.response()).status, 200)
  t.equal(origin.accepted(), 2, 'the connection with half a request is not used again')
  for (const text of origin.received) t.notMatch(text, '/smuggled')
  next.destroy()
})
