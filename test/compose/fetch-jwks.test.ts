import { createServer, type RequestListener } from 'node:http'
import { createServer as createRawServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { fetchJwks } from '../../src/compose/fetch-jwks.ts'

async function serve(t: Test, handle: RequestListener): Promise<string> {
  const server = createServer(handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // It listens on TCP.
  return `http://127.0.0.1:${port}/keys`
}

void t.test('fetchJwks gets what is there', async (t) => {
  const url = await serve(t, (request, response) => {
    t.equal(request.url, '/keys')
    t.equal(request.headers.accept, 'application/json')
    response.end('{"keys":[]}')
  })
  t.equal(await fetchJwks(url), '{"keys":[]}')
})

void t.test('fetchJwks takes nothing but a 200', async (t) => {
  for (const status of [201, 204, 301, 302, 307, 404, 500]) {
    let asked = 0
    const url = await serve(t, (_, response) => {
      asked++
      response.writeHead(status, { location: '/elsewhere' }).end()
    })
    await t.rejects(fetchJwks(url), { message: `the answer is a ${status}` })
    t.equal(asked, 1, 'and follows nothing')
  }
})

void t.test('fetchJwks reads no further than an answer may be long', async (t) => {
  const limit = 256 * 1024
  const whole = await serve(t, (_, response) => response.end('a'.repeat(limit)))
  t.equal((await fetchJwks(whole)).length, limit)
  const longer = await serve(t, (_, response) => response.end('a'.repeat(limit + 1)))
  await t.rejects(fetchJwks(longer))
  const endless = await serve(t, (_, response) => {
    const more = (): void => {
      while (response.write('a'.repeat(65_536)));
      response.once('drain', more)
    }
    more()
  })
  await t.rejects(fetchJwks(endless))
})

void t.test('fetchJwks does not wait for an issuer that says nothing', async (t) => {
  const server = createRawServer((socket) => socket.on('error', () => {}))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo // It listens on TCP.
  const from = performance.now()
  await t.rejects(fetchJwks(`http://127.0.0.1:${port}/`))
  t.ok(performance.now() - from < 8000)
})

void t.test('fetchJwks is told when nobody is there', async (t) => {
  const server = createRawServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // It listens on TCP.
  await new Promise((resolve) => server.close(resolve))
  await t.rejects(fetchJwks(`http://127.0.0.1:${port}/`))
})

void t.test('fetchJwks takes no text that is not UTF-8', async (t) => {
  const url = await serve(t, (_, response) => response.end(Buffer.from([0xff, 0xfe])))
  await t.rejects(fetchJwks(url))
})
