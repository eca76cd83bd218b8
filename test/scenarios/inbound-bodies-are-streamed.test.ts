import t from 'tap'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setTimeout as wait } from 'node:timers/promises'
import { openShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { MiB } from '../../src/units.ts'

setFlagsFromString('--expose-gc')
const collectGarbage: unknown = runInNewContext('gc')

/** Buffers that somebody still holds. */
function liveBytes(): number {
  if (typeof collectGarbage === 'function') collectGarbage()
  return process.memoryUsage().arrayBuffers
}

const host = 'Host: orders.test\r\n'
const size = 64 * MiB
const piece = Buffer.alloc(MiB, 'x')
/** Far under the size of the body: it never was in memory at once. The client and the origin of the test count too. */
const mostMemory = 16 * MiB

void t.test('64 MiB go up and come down, and memory does not follow', async (t) => {
  const upDigest = createHash('sha256')
  let received = 0
  const origin = await startOrigin((request, response) => {
    request.on('data', (chunk: Buffer) => {
      received += chunk.length
      upDigest.update(chunk)
    })
    request.on('end', () => {
      response.writeHead(200, { 'content-length': size })
      void send(response, size)
    })
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const client = await connectRaw(world)
  client.stream.removeAllListeners('data')
  const before = liveBytes()
  let most = 0
  const look = setInterval(() => {
    most = Math.max(most, liveBytes() - before)
  }, 20)
  t.teardown(async () => clearInterval(look))
  client.send(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`)
  const chunk = Buffer.concat([Buffer.from(`${MiB.toString(16)}\r\n`), piece, Buffer.from('\r\n')])
  for (let sent = 0; sent < size; sent += MiB) {
    if (!client.stream.write(chunk)) await once(client.stream, 'drain')
  }
  client.send('0\r\n\r\n')
  let arrived = 0
  client.stream.on('data', (bytes: Buffer) => {
    arrived += bytes.length
  })
  while (arrived < size) await once(client.stream, 'data')
  client.destroy()
  t.equal(received, size)
  const expected = createHash('sha256')
  for (let sent = 0; sent < size; sent += MiB) expected.update(piece)
  t.equal(upDigest.digest('hex'), expected.digest('hex'))
  t.ok(arrived - size < 1000, 'head and body')
  t.ok(most < mostMemory, `${Math.round(most / MiB)} MiB at most`)
})

void t.test('a client that stops reading stops the back end', async (t) => {
  let sent = 0
  const origin = await startOrigin((_request, response) => {
    response.writeHead(200, { 'content-length': 1024 * MiB })
    void send(response, 1024 * MiB, (bytes) => {
      sent += bytes
    })
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const client = await connectRaw(world)
  client.stream.pause()
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  const stalledAt = await settled(() => sent)
  t.ok(stalledAt > 0)
  t.ok(stalledAt < 40 * MiB, `stopped at ${Math.round(stalledAt / MiB)} MiB`)
  client.stream.resume()
  while (sent === stalledAt) await wait(5)
  t.ok(sent > stalledAt, 'and goes on when it reads again')
  client.destroy()
})

void t.test('a back end that stops reading stops the client', async (t) => {
  let upload: IncomingMessage | undefined
  const origin = await startOrigin((request) => {
    upload = request
    request.pause()
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const client = await connectRaw(world)
  client.send(`POST / HTTP/1.1\r\n${host}Content-Length: ${1024 * MiB}\r\n\r\n`)
  let sent = 0
  void send(client.stream, 1024 * MiB, (bytes) => {
    sent += bytes
  })
  const stalledAt = await settled(() => sent)
  t.ok(stalledAt < 40 * MiB, `stopped at ${Math.round(stalledAt / MiB)} MiB`)
  upload?.resume()
  while (sent === stalledAt) await wait(5)
  t.ok(sent > stalledAt, 'and goes on when it reads again')
  client.destroy()
})

void t.test('the head of an answer does not wait for its body', async (t) => {
  const origin = await startOrigin((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url))
  const client = await connectRaw(world)
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  t.match(await client.until('\r\n\r\n'), 'text/event-stream')
  client.destroy()
})

/** Writes so many bytes as fast as they are taken. */
async function send(
  stream: NodeJS.WritableStream,
  total: number,
  onTaken: (bytes: number) => void = () => {},
): Promise<void> {
  for (let sent = 0; sent < total; sent += piece.length) {
    const error = await new Promise<unknown>((resolve) => {
      stream.write(piece, resolve)
    })
    if (error !== undefined && error !== null) return
    onTaken(piece.length)
  }
}

/** The value once it has not changed for a while. */
async function settled(read: () => number): Promise<number> {
  for (let last = -1; ;) {
    const now = read()
    if (now === last && now > 0) return now
    last = now
    await wait(200)
  }
}
