import { once } from 'node:events'
import type { Socket } from 'node:net'
import t from 'tap'
import { connectRaw, type RawClient } from '../support/raw-client.ts'
import { eventually, startInProcess } from '../support/ringfence.ts'
import { type Origin, type RawOrigin, startOrigin, startRawOrigin } from '../support/origin.ts'
import { writeShop } from '../support/shop.ts'

/** What is no longer allowed ends within this. */
const endsWithinMs = 2000
const upgrade =
  'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'

/** Streams a line now and then for ever, and takes every upgrade and echoes. */
async function startEndlessOrigin(): Promise<Origin> {
  return startOrigin(
    (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' })
      response.write('begin\n')
      const timer = setInterval(() => response.write('more\n'), 20)
      response.once('close', () => clearInterval(timer))
    },
    {
      onUpgrade: (_request, socket: Socket) => {
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
        )
        socket.on('data', (chunk) => socket.write(chunk))
        socket.on('end', () => socket.end())
      },
    },
  )
}

async function startEcho(): Promise<RawOrigin> {
  return startRawOrigin({
    onConnection: (socket) => void socket.on('data', (chunk) => socket.write(chunk)),
  })
}

async function openStream(port: number, host: string): Promise<RawClient> {
  const client = await connectRaw({ port })
  client.send(`GET /stream HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
  await client.until('begin\n')
  return client
}

async function openWebSocket(port: number, host: string): Promise<RawClient> {
  const client = await connectRaw({ port })
  client.send(`GET /socket HTTP/1.1\r\nhost: ${host}\r\n${upgrade}\r\n`)
  await client.until('101 Switching Protocols')
  await client.until('\r\n\r\n')
  return client
}

async function openTunnel(port: number, authority: string): Promise<RawClient> {
  const client = await connectRaw({ port })
  client.send(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`)
  await client.until('\r\n\r\n')
  await echoes(client)
  return client
}

async function echoes(client: RawClient): Promise<void> {
  client.send('ping')
  await client.until('ping')
}

void t.test('a rule that is withdrawn ends what it allowed, and nothing else', async (t) => {
  const origin = await startEndlessOrigin()
  const outside = await startEcho()
  t.teardown(async () => {
    await origin.close()
    await outside.close()
  })
  const shop = await writeShop(t, {
    backendPort: origin.port,
    outsidePorts: [outside.port],
    rules: { outside: ['api.outside.test', 'drop.outside.test'] },
  })
  const instance = await startInProcess(t, shop)
  const inbound = instance.port('public')
  const outbound = instance.port('egress')

  // Given one of each by a rule that goes, and one of each by a rule that stays
  const withdrawn = {
    tunnel: await openTunnel(outbound, `drop.outside.test:${outside.port}`),
    'web socket': await openWebSocket(inbound, 'orders.test'),
    'streaming response': await openStream(inbound, 'orders.test'),
  }
  const staying = {
    tunnel: await openTunnel(outbound, `api.outside.test:${outside.port}`),
    'web socket': await openWebSocket(inbound, 'vault.test'),
    'streaming response': await openStream(inbound, 'vault.test'),
  }
  t.teardown(() => {
    for (const client of [...Object.values(withdrawn), ...Object.values(staying)]) client.destroy()
  })
  await eventually(
    () => instance.running.status().open,
    (open) => open === 6,
  )

  // When the rules go
  const ends = Object.entries(withdrawn).map(async ([what, client]) => {
    await client.rest()
    return { what, at: performance.now() }
  })
  const at = performance.now()
  await shop.setRules({ office: false, outside: ['api.outside.test'] })

  // Then theirs end in time
  for (const { what, at: endedAt } of await Promise.all(ends)) {
    t.ok(endedAt - at < endsWithinMs, `the ${what} ended after ${Math.round(endedAt - at)} ms`)
  }

  // and the others go on
  await echoes(staying.tunnel)
  await echoes(staying['web socket'])
  await staying['streaming response'].until('more\n')
  await staying['streaming response'].until('more\n')
  t.equal(instance.running.status().open, 3)

  // and the log says why
  const records = await eventually(
    () => shop.records(),
    (seen) =>
      seen.filter(({ properties }) => properties.closeReason === 'policy-revoked').length >= 3,
  )
  t.equal(records.filter(({ properties }) => properties.closeReason !== undefined).length, 3)

  // and a new request is denied
  const refused = await connectRaw({ port: inbound })
  refused.send('GET / HTTP/1.1\r\nhost: orders.test\r\nconnection: close\r\n\r\n')
  t.equal((await refused.response()).status, 403)
  refused.destroy()
})

void t.test('a withdrawn rule ends a request whose answer has not begun', async (t) => {
  const asked = Promise.withResolvers<void>()
  const origin = await startOrigin(() => asked.resolve())
  t.teardown(() => origin.close())
  const shop = await writeShop(t, { backendPort: origin.port })
  const instance = await startInProcess(t, shop)
  const client = await connectRaw({ port: instance.port('public') })
  t.teardown(() => client.destroy())
  client.send('GET / HTTP/1.1\r\nhost: orders.test\r\n\r\n')
  await asked.promise
  const [socket] = origin.sockets
  if (socket === undefined) throw new Error('the back end was not asked')
  const gone = once(socket, 'close')
  await shop.setRules({ office: false })
  await gone
  const answer = await client.response()
  t.equal(answer.status, 403)
  t.match(answer.body, /"reason":"policy-revoked"/)
})
