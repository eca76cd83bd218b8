import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { MiB } from '../../src/units.ts'
import { enforced, startProxy } from '../outbound/proxy-fixture.ts'
import { startOrigin, startRawOrigin } from '../support/origin.ts'

const chunk = Buffer.alloc(MiB, 'x')
const count = 256
const total = count * MiB

/** Client, proxy and destination are one process here: this is for all three together. */
const maxGrowth = 128 * MiB

function* chunks(): Generator<Buffer> {
  for (let index = 0; index < count; index++) yield chunk
}

/** Highest resident size above what it was at the start, looked at now and then. */
function watchMemory(): () => number {
  const before = process.memoryUsage.rss()
  let peak = before
  const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20)
  return () => {
    clearInterval(timer)
    return peak - before
  }
}

async function countBytes(stream: Readable): Promise<number> {
  let bytes = 0
  for await (const part of stream) bytes += (part as Buffer).length
  return bytes
}

void t.test('256 MiB each way through CONNECT, at the same time', async (t) => {
  const counted = Promise.withResolvers<number>()
  const origin = await startRawOrigin({
    onConnection: (socket) => {
      socket.removeAllListeners('end')
      // The fixture keeps what it receives: this one must not.
      queueMicrotask(() => {
        socket.removeAllListeners('data')
        void countBytes(socket).then(counted.resolve)
        void pipeline(Readable.from(chunks()), socket)
      })
    },
  })
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port))
  const client = await proxy.connect()
  client.send(`CONNECT api.example:${origin.port} HTTP/1.1\r\nHost: api.example\r\n\r\n`)
  await client.until('\r\n\r\n')
  const { stream } = client
  stream.pause()
  const early = client.pending.length
  stream.removeAllListeners('data')
  const growth = watchMemory()
  const [received] = await Promise.all([
    countBytes(stream),
    pipeline(Readable.from(chunks()), stream),
  ])
  t.equal(received + early, total)
  t.equal(await counted.promise, total)
  t.ok(growth() < maxGrowth)
  const { end } = await proxy.endLine()
  t.match(end, { bytesIn: total, bytesOut: total, closeReason: 'complete' })
})

void t.test('256 MiB up and down in absolute-form', async (t) => {
  const origin = await startOrigin((request, response) => void request.pipe(response))
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port, { endLineAfterMs: 0 }))
  const client = await proxy.connect()
  const authority = `api.example:${origin.port}`
  const { stream } = client
  stream.pause()
  stream.removeAllListeners('data')
  client.send(
    `POST http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\nContent-Length: ${total}\r\n\r\n`,
  )
  const growth = watchMemory()
  const [received] = await Promise.all([
    countBytes(stream),
    (async () => {
      for (const part of chunks()) if (!stream.write(part)) await once(stream, 'drain')
    })(),
  ])
  t.ok(received > total)
  t.ok(growth() < maxGrowth)
  const { end } = await proxy.endLine()
  t.match(end, { bytesIn: total, bytesOut: total, closeReason: 'complete' })
})

void t.test('a reader that stops makes the sender stop', async (t) => {
  const authorityOf = (port: number): string => `api.example:${port}`
  for (const [note, request] of [
    ['through CONNECT', (port: number) => `CONNECT ${authorityOf(port)}`],
    ['in absolute-form', (port: number) => `GET http://${authorityOf(port)}/`],
  ] as const) {
    await t.test(note, async (t) => {
      let sent = 0
      const origin = await startRawOrigin({
        onConnection: (socket) => {
          if (note === 'in absolute-form') {
            socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n')
          }
          void sendAll(socket, () => (sent += MiB))
        },
      })
      t.teardown(() => origin.close())
      const proxy = await startProxy(t, enforced(origin.port))
      const client = await proxy.connect()
      client.send(`${request(origin.port)} HTTP/1.1\r\nHost: ${authorityOf(origin.port)}\r\n\r\n`)
      await client.until('\r\n\r\n')
      client.stream.pause()
      const settled = await settle(() => sent)
      t.ok(settled < 64 * MiB, `the sender stopped after ${settled / MiB} MiB`)
      client.stream.resume()
      while (sent < settled + 8 * MiB) await new Promise((resolve) => setTimeout(resolve, 5))
      client.destroy()
      await proxy.endLine()
    })
  }
  await t.test('uploading in absolute-form, until the time for it is up', async (t) => {
    const origin = await startOrigin((request) => request.pause())
    t.teardown(() => origin.close())
    const proxy = await startProxy(t, enforced(origin.port, { timeouts: { bodyIdleMs: 1000 } }))
    const client = await proxy.connect()
    client.send(
      `POST http://${authorityOf(origin.port)}/ HTTP/1.1\r\nHost: ${authorityOf(origin.port)}\r\nContent-Length: 1000000000\r\n\r\n`,
    )
    let sent = 0
    void sendAll(client.stream as Socket, () => (sent += MiB))
    t.ok((await settle(() => sent)) < 64 * MiB)
    t.match((await client.response()).status, 504)
    t.equal((await proxy.endLine()).end?.closeReason, 'backend-timeout')
  })
})

async function sendAll(socket: Socket, onSent: () => void): Promise<void> {
  const ended = new AbortController()
  socket.once('close', () => ended.abort())
  while (!socket.destroyed) {
    if (!socket.write(chunk)) {
      await once(socket, 'drain', { signal: ended.signal }).catch(() => undefined)
    }
    onSent()
  }
}

/** The value once it has not changed for a while. */
async function settle(read: () => number): Promise<number> {
  for (let last = -1; ;) {
    await new Promise((resolve) => setTimeout(resolve, 200))
    const value = read()
    if (value === last) return value
    last = value
  }
}
