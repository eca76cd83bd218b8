import t from 'tap'
import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { MiB, seconds } from '../../src/units.ts'
import { http2ErrorCode } from '../../src/wire/http2-error-code.ts'
import { createAuthority } from '../support/certificates.ts'
import { connectHttp2, type Http2Client } from '../support/http2-client.ts'
import { openShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin } from '../support/origin.ts'

/**
 * Clients that give up streams, each in another phase, and some that take the whole connection with it: in the end
 * sockets, timers and memory are where they were.
 */

t.setTimeout(seconds(110))

const streams = 2000
const perConnection = 100

setFlagsFromString('--expose-gc')
const collectGarbage: unknown = runInNewContext('gc')

/** What a collection frees outside the heap is given back a little later. */
async function heapBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let look = 0; look < 5; look++) {
    if (typeof collectGarbage === 'function') collectGarbage()
    const { heapUsed, external } = process.memoryUsage()
    least = Math.min(least, heapUsed + external)
    await wait(100)
  }
  return least
}

interface Phase {
  readonly note: string
  readonly path: string
  readonly method?: string
  readonly body?: string
  readonly leaves: 'at-once' | 'when-asked' | 'on-data' | 'on-answer'
  readonly host?: string
}

const phases: readonly Phase[] = [
  { note: 'behind the head', path: '/ok', leaves: 'at-once' },
  { note: 'in the upload', path: '/wait', method: 'POST', body: 'half', leaves: 'when-asked' },
  { note: 'waiting', path: '/wait', leaves: 'when-asked' },
  { note: 'in the answer', path: '/stream', leaves: 'on-data' },
  { note: 'in a large answer', path: '/large', leaves: 'on-data' },
  { note: 'behind the answer', path: '/ok', leaves: 'on-answer' },
  {
    note: 'refused',
    path: '/ok',
    host: 'other.test',
    method: 'POST',
    body: 'x',
    leaves: 'on-answer',
  },
]

void t.test('streams given up leave nothing behind', { timeout: seconds(100) }, async (t) => {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const shown = authority.issue('orders.test')
  const tls = { certificateFile: shown.certificateFile, keyFile: shown.keyFile }
  const asked = new Map<string, () => void>()
  const large = Buffer.alloc(MiB)
  const origin = await startOrigin((request, response) => {
    const [path, id] = (request.url ?? '').split('?')
    request.resume()
    if (path === '/ok') response.end('ok')
    else if (path === '/stream') response.write('begun')
    else if (path === '/large') response.end(large)
    else asked.get(id ?? '')?.()
  })
  t.teardown(() => origin.close())
  const parts = openShop(origin.url, { inbound: [{ name: 'public', tls }] })
  const world = await startInbound(t, parts, { pem: shown })
  let ids = 0

  async function abort(client: Http2Client, phase: Phase, code: number): Promise<void> {
    const { path, method = 'GET', body, leaves, host = 'orders.test' } = phase
    const id = String(++ids)
    const stream = client.request(`${path}?${id}`, {
      headers: { ':method': method, ':authority': host },
      open: body !== undefined,
    })
    if (body !== undefined) stream.write(body)
    const leave = (): void => stream.close(code)
    if (leaves === 'at-once') setImmediate(leave)
    else if (leaves === 'when-asked') asked.set(id, leave)
    else if (leaves === 'on-data') stream.once('data', leave)
    else stream.once('response', leave)
    stream.resume()
    if (!stream.destroyed) await new Promise<void>((resolve) => stream.once('close', resolve))
    asked.delete(id)
  }

  async function abortMany(count: number): Promise<void> {
    const codes = [http2ErrorCode.cancel, http2ErrorCode.noError, http2ErrorCode.internalError]
    let next = 0
    while (next < count) {
      const client = await connectHttp2({
        port: world.port,
        ca: authority.ca,
        servername: 'orders.test',
      })
      const until = Math.min(count, next + perConnection)
      const work = async (): Promise<void> => {
        while (next < until) {
          const index = next++
          const phase = phases[index % phases.length]
          const code = codes[Math.floor(index / phases.length) % codes.length]
          if (phase !== undefined && code !== undefined) await abort(client, phase, code)
        }
      }
      await Promise.all(Array.from({ length: 20 }, work))
      // Some of its streams are still open.
      for (const path of ['/wait', '/stream', '/large']) client.request(path)
      await wait(5)
      client.destroy()
    }
  }

  async function settle(): Promise<void> {
    await world.quiet()
    while (origin.sockets.size > 0) await wait(50)
  }

  await abortMany(200)
  await settle()
  world.forget()
  origin.forget()
  const resources = countResources()
  const heap = await heapBytes()

  await abortMany(streams)
  await settle()

  t.ok(world.records.length > streams, 'each was decided')
  t.notOk(world.records.some(({ detail }) => detail === 'too many streams given up'))
  t.equal(world.proxy.open, 0)
  t.equal(world.openConnections.size, 0)
  t.equal(world.metered(), 0)
  t.strictSame(countResources(), resources)
  t.strictSame(world.complaints, [])
  world.forget()
  origin.forget()
  const grown = (await heapBytes()) - heap
  t.ok(grown < 4 * MiB, `${(grown / MiB).toFixed(1)} MiB more than before`)
})

/** What keeps the loop busy, by kind. */
function countResources(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}
