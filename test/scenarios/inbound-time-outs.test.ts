import t from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { openShop, startInbound, type InboundWorld } from '../support/inbound-world.ts'
import { answerRaw, startOrigin, startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { upgradeRequest } from '../support/web-socket.ts'

const host = 'Host: orders.test\r\n'
const short = 200

/** Not before its time. That it comes at all is what each test waits for, however busy the machine is. */
function isDue(elapsedMs: number, timeoutMs: number): boolean {
  return elapsedMs >= timeoutMs * 0.9
}

async function closeReason(world: InboundWorld): Promise<string | undefined> {
  return (await world.record(({ end }) => end !== undefined)).end?.closeReason
}

void t.test('a head that does not come to its end is answered with 408', async (t) => {
  const world = await startInbound(
    t,
    openShop('http://127.0.0.1:1', { timeouts: { headerMs: short } }),
  )
  const client = await connectRaw(world)
  const from = performance.now()
  client.send(`GET / HTTP/1.1\r\n${host}X-Slow: `)
  const response = await client.response()
  t.equal(response.status, 408)
  t.ok(isDue(performance.now() - from, short))
  t.match(world.records, [{ decision: { reason: 'bad-request' }, detail: 'header took too long' }])
  t.equal((await client.rest()).text, '')
})

void t.test('the head of a second request has the same time', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { timeouts: { headerMs: short } }))
  const client = await connectRaw(world)
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  t.equal((await client.response()).status, 200)
  client.send('GET / HTTP/1.1\r\n')
  t.equal((await client.response()).status, 408)
})

void t.test('a connection that says nothing is closed without a word or a record', async (t) => {
  const world = await startInbound(
    t,
    openShop('http://127.0.0.1:1', { timeouts: { headerMs: short } }),
  )
  const client = await connectRaw(world)
  t.equal((await client.rest()).text, '')
  t.equal(world.records.length, 0)
})

void t.test('a connection between two requests is kept for so long', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { timeouts: { keepAliveMs: short } }))
  const client = await connectRaw(world)
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  t.equal((await client.response()).status, 200)
  const from = performance.now()
  t.equal((await client.rest()).text, '')
  t.ok(isDue(performance.now() - from, short))
  t.equal(world.records.length, 1)
})

void t.test('an upload that stops is answered with 408', async (t) => {
  const origin = await startOrigin((request) => request.resume())
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { timeouts: { bodyIdleMs: short } }))
  const client = await connectRaw(world)
  const from = performance.now()
  client.send(`POST / HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nabc`)
  t.equal((await client.response()).status, 408)
  t.ok(isDue(performance.now() - from, short))
  t.equal(await closeReason(world), 'body-idle-timeout')
  t.equal((await client.rest()).text, '')
})

void t.test('an upload that goes on slowly takes as long as it takes', async (t) => {
  const origin = await startOrigin((request, response) => {
    request.resume()
    request.on('end', () => response.end('ok'))
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { timeouts: { bodyIdleMs: 1500 } }))
  const client = await connectRaw(world)
  client.send(`POST / HTTP/1.1\r\n${host}Content-Length: 6\r\n\r\n`)
  let left = 6
  const drip = setInterval(() => {
    client.send('x')
    if (--left === 0) clearInterval(drip)
  }, 300)
  t.equal((await client.response()).status, 200)
  client.destroy()
})

void t.test('a back end that does not answer is a 504', async (t) => {
  const origin = await startOrigin(() => {})
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { timeouts: { bodyIdleMs: short } }))
  const client = await connectRaw(world)
  const from = performance.now()
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  const response = await client.response()
  t.equal(response.status, 504)
  t.match(response.body, '"reason":"backend-timeout"')
  t.ok(isDue(performance.now() - from, short))
  t.equal(await closeReason(world), 'backend-timeout')
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  t.equal((await client.response()).status, 504, 'the connection goes on')
  client.destroy()
})

void t.test('a back end that does not answer an upgrade is a 504', async (t) => {
  const origin = await startRawOrigin({})
  t.teardown(() => origin.close())
  const world = await startInbound(
    t,
    openShop(`http://${origin.authority}`, { timeouts: { bodyIdleMs: short } }),
  )
  const client = await connectRaw(world)
  client.send(upgradeRequest('orders.test'))
  t.equal((await client.response()).status, 504)
  t.equal(await closeReason(world), 'backend-timeout')
})

void t.test('a back end that stops in the middle of its answer cuts the client off', async (t) => {
  const origin = await startRawOrigin({
    onData: answerRaw('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'),
  })
  t.teardown(() => origin.close())
  const world = await startInbound(
    t,
    openShop(`http://${origin.authority}`, { timeouts: { bodyIdleMs: short } }),
  )
  const client = await connectRaw(world)
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  t.equal((await client.rest()).how, 'reset')
  t.equal(await closeReason(world), 'backend-timeout')
})

void t.test('a client that stops reading its answer is cut off', async (t) => {
  const origin = await startOrigin((_request, response) => {
    response.writeHead(200, { 'content-length': 1_000_000_000 })
    const more = (): void => {
      while (response.write(Buffer.alloc(1_000_000)));
      response.once('drain', more)
    }
    more()
  })
  t.teardown(() => origin.close())
  const world = await startInbound(t, openShop(origin.url, { timeouts: { bodyIdleMs: short } }))
  const client = await connectRaw(world)
  client.stream.pause()
  client.send(`GET / HTTP/1.1\r\n${host}\r\n`)
  t.equal(await closeReason(world), 'body-idle-timeout')
  client.destroy()
})

void t.test('a back end that is not reached in time is a 504', async (t) => {
  const { port, end } = await startDeaf()
  t.teardown(end)
  const world = await startInbound(
    t,
    openShop(`http://127.0.0.1:${port}`, { timeouts: { connectMs: short } }),
  )
  for (const bytes of [`GET / HTTP/1.1\r\n${host}\r\n`, upgradeRequest('orders.test')]) {
    const client = await connectRaw(world)
    const from = performance.now()
    client.send(bytes)
    const response = await client.response()
    t.equal(response.status, 504)
    t.match(response.body, '"reason":"connect-timeout"')
    t.ok(isDue(performance.now() - from, short))
    client.destroy()
  }
  t.equal(await closeReason(world), 'connect-timeout')
})

/** A port on which the kernel drops what wants to connect: a process that stands still, its queue full. */
async function startDeaf(): Promise<{ port: number; end: () => Promise<void> }> {
  const script = `const s = require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    console.log(s.address().port)
  })`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(child.stdout, 'data')
  const port = Number(String(line))
  child.kill('SIGSTOP')
  const fillers = Array.from({ length: 8 }, () => {
    const filler = connect(port, '127.0.0.1')
    filler.on('error', () => {})
    return filler
  })
  await once(fillers[0] ?? child, 'connect')
  return {
    port,
    async end() {
      for (const filler of fillers) filler.destroy()
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
