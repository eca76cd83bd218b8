import t from 'tap'
import { connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { openShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin } from '../support/origin.ts'
import { clientFrame, echoFrames, upgradeRequest } from '../support/web-socket.ts'
import { KiB, MiB, seconds } from '../../src/units.ts'

/**
 * Clients that leave, each in another phase of its request: 20,000 requests and 2,000 upgrades, ended in order and by
 * reset. In the end sockets, timers and memory are where they were.
 */

t.setTimeout(seconds(115))

const requests = 20_000
const upgrades = 2000
const atOnce = 40

setFlagsFromString('--expose-gc')
const collectGarbage: unknown = runInNewContext('gc')

function heapBytes(): number {
  if (typeof collectGarbage === 'function') collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const host = 'Host: orders.test\r\n'

interface Phase {
  readonly note: string
  readonly bytes: (id: number) => string
  /** When it leaves: at once, when the back end has the request, or when so much has arrived. */
  readonly leaves: 'at-once' | 'when-asked' | 'on-data'
}

const requestPhases: readonly Phase[] = [
  { note: 'without a byte', bytes: () => '', leaves: 'at-once' },
  { note: 'in the head', bytes: () => `GET /ok HTTP/1.1\r\n${host}X-Half: `, leaves: 'at-once' },
  { note: 'behind the head', bytes: () => `GET /ok HTTP/1.1\r\n${host}\r\n`, leaves: 'at-once' },
  {
    note: 'in the upload',
    bytes: (id) => `POST /wait/${id} HTTP/1.1\r\n${host}Content-Length: 100000\r\n\r\nhalf`,
    leaves: 'when-asked',
  },
  {
    note: 'in a chunked upload',
    bytes: (id) =>
      `PUT /wait/${id} HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`,
    leaves: 'when-asked',
  },
  {
    note: 'waiting',
    bytes: (id) => `GET /wait/${id} HTTP/1.1\r\n${host}\r\n`,
    leaves: 'when-asked',
  },
  { note: 'in the answer', bytes: () => `GET /stream HTTP/1.1\r\n${host}\r\n`, leaves: 'on-data' },
  {
    note: 'in a large answer',
    bytes: () => `GET /large HTTP/1.1\r\n${host}\r\n`,
    leaves: 'on-data',
  },
  { note: 'behind the answer', bytes: () => `GET /ok HTTP/1.1\r\n${host}\r\n`, leaves: 'on-data' },
  {
    note: 'pipelined',
    bytes: (id) => `GET /wait/${id} HTTP/1.1\r\n${host}\r\n`.repeat(3),
    leaves: 'when-asked',
  },
  {
    note: 'refused',
    bytes: () => 'POST / HTTP/1.1\r\nHost: other.test\r\nContent-Length: 9\r\n\r\n',
    leaves: 'on-data',
  },
  { note: 'not HTTP', bytes: () => 'GET / HTTP/1.1\r\nno field\r\n\r\n', leaves: 'on-data' },
  {
    note: 'before 100 Continue',
    bytes: () => `POST /ok HTTP/1.1\r\n${host}Content-Length: 9\r\nExpect: 100-continue\r\n\r\n`,
    leaves: 'on-data',
  },
]

const upgradePhases: readonly Phase[] = [
  {
    note: 'in the head',
    bytes: () => upgradeRequest('orders.test').slice(0, -20),
    leaves: 'at-once',
  },
  { note: 'behind the head', bytes: () => upgradeRequest('orders.test'), leaves: 'at-once' },
  {
    note: 'waiting for the 101',
    bytes: (id) => upgradeRequest('orders.test').replace('/socket', `/wait/${id}`),
    leaves: 'when-asked',
  },
  {
    note: 'with early bytes',
    bytes: (id) => upgradeRequest('orders.test').replace('/socket', `/wait/${id}`) + 'early',
    leaves: 'when-asked',
  },
  { note: 'behind the 101', bytes: () => upgradeRequest('orders.test'), leaves: 'on-data' },
  {
    note: 'with a frame under way',
    bytes: () => upgradeRequest('orders.test') + clientFrame('hello').toString('latin1'),
    leaves: 'on-data',
  },
  { note: 'refused', bytes: () => upgradeRequest('other.test'), leaves: 'on-data' },
]

void t.test(
  'aborted requests and upgrades leave nothing behind',
  { timeout: seconds(110) },
  async (t) => {
    const asked = new Map<string, () => void>()
    const large = Buffer.alloc(64 * KiB)
    const tell = (url: string | undefined): void => {
      asked.get(url ?? '')?.()
      asked.delete(url ?? '')
    }
    const origin = await startOrigin(
      (request, response) => {
        const { url } = request
        request.resume()
        if (url === '/ok') response.end('ok')
        else if (url === '/stream') response.write('begun')
        else if (url === '/large') response.write(large)
        else tell(url)
      },
      {
        onUpgrade(request, socket, head) {
          if (request.url === '/socket') {
            echoFrames(socket, head)
            return
          }
          socket.on('end', () => socket.end())
          socket.resume()
          tell(request.url)
        },
      },
    )
    t.teardown(() => origin.close())
    const world = await startInbound(t, openShop(origin.url))
    let ids = 0

    async function abort(
      { bytes, leaves }: Phase,
      how: 'end' | 'destroy' | 'reset',
    ): Promise<void> {
      const id = ++ids
      const socket = connect(world.port, '127.0.0.1')
      socket.on('error', () => {})
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
      const text = bytes(id)
      if (leaves === 'on-data') socket.once('data', () => leave(socket, how))
      else if (leaves === 'when-asked') asked.set(`/wait/${id}`, () => leave(socket, how))
      socket.once('connect', () => {
        if (text !== '') socket.write(text, 'latin1')
        if (leaves === 'at-once') setImmediate(leave, socket, how)
      })
      await closed
      asked.delete(`/wait/${id}`)
    }

    async function abortMany(phases: readonly Phase[], count: number): Promise<void> {
      const hows = ['destroy', 'reset', 'end'] as const
      let next = 0
      const work = async (): Promise<void> => {
        while (next < count) {
          const index = next++
          const phase = phases[index % phases.length]
          const how = hows[Math.floor(index / phases.length) % hows.length]
          if (phase !== undefined && how !== undefined) await abort(phase, how)
        }
      }
      await Promise.all(Array.from({ length: atOnce }, work))
    }

    /** Until the last idle connection to the back end is given up and nothing lingers. */
    async function settle(): Promise<void> {
      await world.quiet()
      while (origin.sockets.size > 0) await wait(50)
    }

    // Until the engine has what it keeps of its own: after a thousand it still grew, and shrank again later.
    await abortMany(requestPhases, requests / 2)
    await abortMany(upgradePhases, upgrades / 2)
    await settle()
    world.forget()
    origin.forget()
    const resources = countResources()
    const heap = heapBytes()

    await abortMany(requestPhases, requests)
    await abortMany(upgradePhases, upgrades)
    await settle()

    t.ok(world.records.length > requests / 2, 'most of them got as far as a decision')
    t.equal(world.proxy.open, 0)
    t.equal(world.openConnections.size, 0)
    t.equal(world.metered(), 0)
    t.strictSame(countResources(), resources)
    t.strictSame(world.complaints, [])
    world.forget()
    origin.forget()
    const grown = heapBytes() - heap
    t.ok(grown < 4 * MiB, `${(grown / MiB).toFixed(1)} MiB more than before`)
  },
)

function leave(socket: Socket, how: 'end' | 'destroy' | 'reset'): void {
  if (how === 'end') {
    socket.end()
    socket.resume()
  } else if (how === 'reset') {
    socket.resetAndDestroy()
  } else {
    socket.destroy()
  }
}

/** What keeps the loop busy, by kind; what belongs to this test's own waiting is not counted. */
function countResources(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}
