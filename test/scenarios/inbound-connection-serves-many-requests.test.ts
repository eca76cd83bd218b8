import t from 'tap'
import type { ServerResponse } from 'node:http'
import { openShop, closedShop, startInbound } from '../support/inbound-world.ts'
import { answerRaw, readBody, startOrigin, startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { laneUnderTest } from '../support/settings-parts.ts'

const host = 'Host: orders.test\r\n'

void t.test('requests sent at once are answered in order, one at a time', async (t) => {
  const begun: string[] = []
  const held: ServerResponse[] = []
  let arrived: (() => void) | undefined
  const origin = await startOrigin((request, response) => {
    begun.push(request.url ?? '')
    held.push(response)
    arrived?.()
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const client = await connectRaw(world)
  const next = (): Promise<void> => new Promise((resolve) => (arrived = resolve))
  let waiting = next()
  client.send(
    `GET /1 HTTP/1.1\r\n${host}\r\nGET /2 HTTP/1.1\r\n${host}\r\nGET /3 HTTP/1.1\r\n${host}\r\n`,
  )
  for (const path of ['/1', '/2', '/3']) {
    await waiting
    t.strictSame(begun.at(-1), path)
    t.equal(held.length, 1, 'the others wait')
    waiting = next()
    held.pop()?.end(path)
    t.equal((await client.response()).body, path)
  }
  client.destroy()
})

void t.test('more pipelined requests than anybody needs are told so, or wait', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const client = await connectRaw(world)
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`.repeat(40))
  if (laneUnderTest === 'relay') {
    for (let index = 0; index < 40; index++) t.equal((await client.response()).status, 200)
    t.equal(origin.seen.length, 40)
    client.destroy()
    return
  }
  const statuses: number[] = []
  for (let index = 0; index < 34; index++) statuses.push((await client.response()).status)
  t.strictSame(statuses, [...Array.from({ length: 33 }, () => 200), 503])
  t.equal((await client.rest()).text, '')
  t.equal(origin.seen.length, 33)
  t.match(world.records.at(-1), {
    decision: { reason: 'limit' },
    detail: 'too many pipelined requests',
  })
})

void t.test('HTTP/1.0 is closed unless it asks to be kept', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const kept = await connectRaw(world)
  kept.send(`GET / HTTP/1.0\r\n${host}Connection: keep-alive\r\n\r\n`)
  t.equal((await kept.response()).header('connection'), 'keep-alive')
  kept.send(`GET / HTTP/1.0\r\n${host}\r\n`)
  const last = await kept.response()
  t.equal(last.header('connection'), 'close')
  t.equal(last.body, 'ok')
  t.equal((await kept.rest()).how, 'end')
})

void t.test('HTTP/1.0 never gets chunks', async (t) => {
  const origin = await startRawOrigin({
    onData: answerRaw(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n',
    ),
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(`http://${origin.authority}`))
  const client = await connectRaw(world)
  client.send(`GET / HTTP/1.0\r\n${host}Connection: keep-alive\r\n\r\n`)
  const response = await client.response()
  t.equal(response.header('transfer-encoding'), undefined)
  t.equal(response.header('connection'), 'close')
  t.equal(response.body, 'body')
  t.equal(response.complete, true)
})

void t.test('answers without a body leave the connection in step', async (t) => {
  const origin = await startOrigin((request, response) => {
    request.resume()
    if (request.url === '/204') response.writeHead(204).end()
    else if (request.url === '/304')
      response.writeHead(304, { etag: '"1"', 'content-length': 77 }).end()
    else response.writeHead(200, { 'content-length': 4 }).end('body')
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const client = await connectRaw(world)
  const ask = async (method: string, path: string) => {
    client.send(`${method} ${path} HTTP/1.1\r\n${host}\r\n`)
    return client.response({ bodyless: method === 'HEAD' })
  }
  const head = await ask('HEAD', '/')
  t.equal(head.header('content-length'), '4')
  t.equal((await ask('GET', '/204')).status, 204)
  const unchanged = await ask('GET', '/304')
  t.equal(unchanged.status, 304)
  t.equal(unchanged.header('etag'), '"1"')
  t.equal((await ask('GET', '/')).body, 'body')
  t.equal((await ask('HEAD', '/missing')).body, '')
  t.equal(client.pending, '')
  client.destroy()
})

void t.test('a refusal of HEAD has no body, and the connection goes on', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, closedShop(origin.url))
  const client = await connectRaw(world)
  client.send(`HEAD / HTTP/1.1\r\n${host}\r\n`)
  t.equal((await client.response({ bodyless: true })).status, 403)
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  const refused = await client.response()
  t.equal(refused.status, 403)
  t.equal(refused.complete, true)
  client.destroy()
})

void t.test('trailers are dropped on both sides, with the field that announces them', async (t) => {
  const origin = await startOrigin((request, response) => {
    void readBody(request).then((body) => {
      response.writeHead(200, { trailer: 'x-sum', 'transfer-encoding': 'chunked' })
      response.write(body)
      response.addTrailers({ 'x-sum': '1' })
      response.end()
    })
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const client = await connectRaw(world)
  client.send(
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nTrailer: x-admin\r\n\r\n3\r\nabc\r\n0\r\nx-admin: 1\r\n\r\n`,
  )
  const response = await client.response()
  t.equal(response.body, 'abc')
  t.equal(response.header('trailer'), undefined)
  t.strictSame(origin.seen[0]?.header('trailer'), [])
  t.strictSame(origin.seen[0]?.header('x-admin'), [])
  t.notMatch(client.pending, 'x-sum')
  client.destroy()
})

void t.test('interim answers of the back end reach a client that knows them', async (t) => {
  const origin = await startRawOrigin({
    onData: answerRaw(
      `${'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(20)}HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok`,
    ),
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(`http://${origin.authority}`))
  // Through http-proxy they do not come.
  const isTold = laneUnderTest === 'relay'
  const client = await connectRaw(world)
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  for (let index = 0; isTold && index < 20; index++) {
    const interim = await client.response()
    t.equal(interim.status, 103)
    t.equal(interim.header('link'), '</a>')
  }
  t.equal((await client.response()).status, 200)
  client.destroy()
  const old = await connectRaw(world)
  old.send(`GET / HTTP/1.0\r\n${host}\r\n`)
  t.equal((await old.response()).status, 200)
  old.destroy()
})

void t.test(
  'an answer that comes before the body is whole ends the connection behind it',
  async (t) => {
    const origin = await startOrigin((_request, response) => {
      response.writeHead(413, { connection: 'close' }).end('too much')
    })
    t.teardown(() => origin.close())
    const world = await startInbound(t, openShop(origin.url))
    const client = await connectRaw(world)
    client.send(`POST / HTTP/1.1\r\n${host}Content-Length: 1000\r\n\r\nabc`)
    const response = await client.response()
    t.equal(response.status, 413)
    t.equal(response.body, 'too much')
    t.equal((await client.rest()).text, '')
  },
)
