import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { createDial, type Dialled } from '../../src/transport/dial.ts'
import { createDialAuthority } from '../../src/transport/dial-authority.ts'
import { IntakeSocket } from '../../src/transport/intake-socket.ts'
import type { IpAddress } from '../../src/wire/address.ts'
import { parseAuthority } from '../../src/wire/authority.ts'
import { addressOf, listening } from './sockets.ts'

const loopback = addressOf('127.0.0.1')
const another = addressOf('127.0.0.2')
const timeoutMs = 2000

void t.test('createDial', async (t) => {
  const dial = createDial()

  await t.test('connects to the first address that answers', async (t) => {
    const port = await serving(t)
    const dialled = await dial({ addresses: [loopback, another], port, timeoutMs })
    t.equal(connected(t, dialled).remoteAddress, '127.0.0.1')
    t.equal(dialled.kind === 'connected' && dialled.address, loopback)
  })

  await t.test('goes on to the next where one refuses', async (t) => {
    const port = await serving(t)
    const dialled = await dial({ addresses: [another, loopback], port, timeoutMs })
    t.equal(connected(t, dialled).remoteAddress, '127.0.0.1')
  })

  await t.test('leaves time for the next where one swallows packets', async (t) => {
    const port = await serving(t)
    const hole = await blackHole(t, port)
    const started = performance.now()
    const dialled = await dial({ addresses: [hole, loopback], port, timeoutMs })
    t.equal(connected(t, dialled).remoteAddress, '127.0.0.1')
    t.ok(performance.now() - started < timeoutMs, 'within the time for all')
  })

  await t.test(
    'hands over a socket that may be half-open, is not flowing and survives errors',
    async (t) => {
      const port = await serving(t, (socket) => socket.end('early'))
      const socket = connected(t, await dial({ addresses: [loopback], port, timeoutMs }))
      t.equal(socket.allowHalfOpen, true)
      t.equal(socket.readableFlowing, null)
      const [early] = (await once(socket, 'data')) as [Buffer]
      t.equal(early.toString(), 'early')
      socket.destroy(new Error('nobody listens yet'))
      await new Promise((resolve) => socket.once('close', resolve))
      t.pass('no uncaught exception')
    },
  )

  await t.test('hands a tunnel a socket of its own kind, which does not read yet', async (t) => {
    const port = await serving(t, (socket) => socket.end('early'))
    const dialled = await dial({ addresses: [loopback], port, timeoutMs, readBy: 'tunnel' })
    const socket = connected(t, dialled)
    t.equal(socket instanceof IntakeSocket, true)
    t.equal(socket.allowHalfOpen, true)
    t.equal(socket.isPaused(), true)
    socket.destroy(new Error('nobody listens yet'))
    await new Promise((resolve) => socket.once('close', resolve))
    t.pass('no uncaught exception')
  })

  await t.test('over IPv6', async (t) => {
    const port = await serving(t, undefined, '::1')
    const dialled = await dial({ addresses: [addressOf('::1')], port, timeoutMs })
    t.equal(connected(t, dialled).remoteAddress, '::1')
  })
})

void t.test('createDial: why it failed', async (t) => {
  const dial = createDial()

  await t.test('connect-refused', async (t) => {
    const port = await closedPort()
    const dialled = await dial({ addresses: [loopback, another], port, timeoutMs })
    t.same(dialled, { kind: 'failed', reason: 'connect-refused' })
  })

  await t.test('connect-timeout, when the time for all is up', async (t) => {
    const port = await serving(t)
    const hole = await blackHole(t, port)
    const started = performance.now()
    const dialled = await dial({ addresses: [hole, hole, hole], port, timeoutMs: 300 })
    t.same(dialled, { kind: 'failed', reason: 'connect-timeout' })
    const took = performance.now() - started
    t.ok(took >= 290 && took < 1500, `${took.toFixed()} ms`)
  })

  await t.test('connect-failed, where there is no way', async (t) => {
    // A documentation address over a loopback route: the kernel refuses at once, whatever the machine's routes.
    const dialled = await dial({ addresses: [addressOf('255.255.255.255')], port: 9, timeoutMs })
    t.same(dialled, { kind: 'failed', reason: 'connect-failed' })
  })

  await t.test('connect-failed, without addresses', async (t) => {
    t.same(await dial({ addresses: [], port: 9, timeoutMs }), {
      kind: 'failed',
      reason: 'connect-failed',
    })
  })

  await t.test('connect-timeout, when no time is left', async (t) => {
    const dialled = await dial({ addresses: [loopback], port: 9, timeoutMs: 0 })
    t.same(dialled, { kind: 'failed', reason: 'connect-timeout' })
  })
})

void t.test('createDial: an abort', async (t) => {
  const dial = createDial()

  await t.test('before anything dials nothing', async (t) => {
    const port = await serving(t, () => t.fail('dialled'))
    const dialled = await dial({
      addresses: [loopback],
      port,
      timeoutMs,
      signal: AbortSignal.abort(),
    })
    t.same(dialled, { kind: 'failed', reason: 'connect-failed' })
  })

  await t.test('while it dials ends that and tries no other', async (t) => {
    const port = await serving(t, () => t.fail('dialled'))
    const hole = await blackHole(t, port)
    const abort = new AbortController()
    const dialling = dial({
      addresses: [hole, loopback],
      port,
      timeoutMs: 20_000,
      signal: abort.signal,
    })
    setImmediate(() => abort.abort())
    t.same(await dialling, { kind: 'failed', reason: 'connect-failed' })
  })

  await t.test('afterwards is of no consequence', async (t) => {
    const port = await serving(t)
    const abort = new AbortController()
    const dialled = await dial({ addresses: [loopback], port, timeoutMs, signal: abort.signal })
    abort.abort()
    t.equal(connected(t, dialled).destroyed, false)
  })
})

void t.test('createDial: leaves no socket and no timer behind', async (t) => {
  const dial = createDial()
  const port = await closedPort()
  const before = resources().length
  await Promise.all(
    Array.from({ length: 200 }, () => dial({ addresses: [loopback, another], port, timeoutMs })),
  )
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.ok(resources().length <= before, `${resources().length} now, ${before} before`)
})

void t.test('createDialAuthority', async (t) => {
  const dialAuthority = createDialAuthority(createDial())

  for (const host of ['127.0.0.1', 'localhost']) {
    await t.test(`dials ${host} as this machine takes it`, async (t) => {
      const port = await serving(t)
      const dialled = await dialAuthority({ authority: authorityOf(`${host}:${port}`), timeoutMs })
      t.equal(connected(t, dialled).remotePort, port)
    })
  }

  await t.test('dns-failed for a name that nobody knows', async (t) => {
    const dialled = await dialAuthority({
      authority: authorityOf('no-such.invalid:80'),
      timeoutMs: 10_000,
    })
    t.equal(dialled.kind === 'failed' && dialled.reason.startsWith('dns-'), true)
  })

  await t.test('dns-failed where nothing that it answers is an address', async (t) => {
    const strange = createDialAuthority(createDial(), {
      askSystem: async () => [{ address: 'fe80::1%eth0' }],
    })
    const dialled = await strange({ authority: authorityOf('a.example:80'), timeoutMs })
    t.same(dialled, { kind: 'failed', reason: 'dns-failed' })
  })

  await t.test('loop where this instance itself listens, and nothing is dialled', async (t) => {
    const asked: string[] = []
    const own = createDialAuthority(
      async ({ addresses }) => {
        asked.push(...addresses.map(({ text }) => text))
        return { kind: 'failed', reason: 'connect-refused' }
      },
      {
        askSystem: async (name) =>
          name === 'own.example'
            ? [{ address: '127.0.0.1' }]
            : [{ address: '127.0.0.1' }, { address: '192.0.2.1' }],
        isOwn: ({ text }, port) => text === '127.0.0.1' && port === 80,
      },
    )
    const ask = (text: string) => own({ authority: authorityOf(text), timeoutMs })
    t.same(await ask('own.example:80'), { kind: 'failed', reason: 'loop' })
    t.same(await ask('127.0.0.1:80'), { kind: 'failed', reason: 'loop' })
    t.same(asked, [])
    t.same(await ask('both.example:80'), { kind: 'failed', reason: 'connect-refused' })
    t.same(await ask('own.example:81'), { kind: 'failed', reason: 'connect-refused' })
    t.same(asked, ['192.0.2.1', '127.0.0.1'])
  })

  await t.test('dns-timeout when the system takes too long', async (t) => {
    const never = createDialAuthority(createDial(), {
      askSystem: () => new Promise(() => undefined),
    })
    const dialled = await never({ authority: authorityOf('a.example:80'), timeoutMs: 50 })
    t.same(dialled, { kind: 'failed', reason: 'dns-timeout' })
  })

  await t.test('asks the system once for all who want a name meanwhile', async (t) => {
    const port = await serving(t)
    let asked = 0
    const counted = createDialAuthority(createDial(), {
      async askSystem() {
        asked++
        return [{ address: '127.0.0.1' }]
      },
    })
    const authority = authorityOf(`a.example:${port}`)
    const dialAll = () => Promise.all([1, 2, 3].map(() => counted({ authority, timeoutMs })))
    for (const dialled of await dialAll()) connected(t, dialled)
    t.equal(asked, 1)
    for (const dialled of await dialAll()) connected(t, dialled)
    t.equal(asked, 2, 'and anew afterwards')
  })
})

function resources(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout/.test(kind))
}

function connected(t: Test, dialled: Dialled): Socket {
  if (dialled.kind === 'failed') throw new Error(dialled.reason)
  t.teardown(() => dialled.socket.destroy())
  return dialled.socket
}

async function serving(
  t: Test,
  onConnection: (socket: Socket) => void = () => undefined,
  host = '127.0.0.1',
): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onConnection(socket)
  })
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return listening(server, host)
}

async function closedPort(): Promise<number> {
  const server = createServer()
  const port = await listening(server)
  server.close()
  await once(server, 'close')
  return port
}

function authorityOf(text: string): NonNullable<ReturnType<typeof parseAuthority>> {
  const authority = parseAuthority(text)
  if (authority === undefined) throw new Error(`not an authority: ${text}`)
  return authority
}

const holeAddress = '127.0.0.3'

/** A process that listens, says so, and never accepts: once its queue is full the kernel drops whatever comes. */
const holeScript = `
  require('node:net').createServer().listen({ host: '${holeAddress}', port: Number(process.argv[1]), backlog: 1 }, () => {
    require('node:fs').writeSync(1, 'listening')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })
`

async function blackHole(t: Test, port: number): Promise<IpAddress> {
  const hole = spawn(process.execPath, ['-e', holeScript, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const fillers: Socket[] = []
  t.teardown(() => {
    for (const filler of fillers) filler.destroy()
    hole.kill('SIGKILL')
  })
  await once(hole.stdout, 'data')
  for (let queued = 0; queued < 2; queued++) {
    const filler = connect({ host: holeAddress, port })
    filler.on('error', () => undefined)
    fillers.push(filler)
    await once(filler, 'connect')
  }
  return addressOf(holeAddress)
}
