import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { PerimeterError } from '../errors.ts'
import { seconds } from '../units.ts'

/**
 * Sockets with `SO_REUSEPORT` share a port with whoever asks for it in the same way, also with another instance, which
 * would then take a part of the traffic without a word. So whoever listens in that way holds a lock on the address.
 *
 * A lock is a Unix socket in the abstract namespace of Linux, bound and never used. The kernel lets one process have the
 * name, and takes it back with the process however that ends: there is no stale file, and no process number that another
 * has meanwhile. Names are per network namespace, as ports are.
 *
 * The lock knows only its own spelling of the address: `0.0.0.0:80` and `127.0.0.1:80` overlap. So the address is also
 * bound for a moment without sharing, which the kernel refuses wherever anybody listens. Between that and our own
 * listening nobody else may do the same: a second lock, on the port alone, is held for as long as the start takes.
 */
export interface AddressLocks {
  /** To be called once the listeners are open: others may then look at the same ports. */
  started(): void
  release(): void
}

/** `port` is not 0. */
interface Address {
  readonly host: string
  readonly port: number
}

/** How long another instance may take to start on one of our ports, at another address. */
const startPatienceMs = seconds(10)
const retryMs = 20

/** Throws `PerimeterError` RF_LISTEN where somebody listens on one of them, or holds its lock; nothing is held then. */
export async function lockAddresses(addresses: readonly Address[]): Promise<AddressLocks> {
  const starting: Server[] = []
  const held: Server[] = []
  try {
    // In one order for everybody, or two instances could wait for each other.
    const ports = [...new Set(addresses.map(({ port }) => port))].toSorted((a, b) => a - b)
    for (const port of ports) starting.push(await lockPort(port))
    for (const address of addresses) {
      held.push(await lock(address))
      await assertFree(address)
    }
  } catch (error) {
    drop([...starting, ...held])
    throw error
  }
  return {
    started: () => drop(starting),
    release: () => drop([...starting, ...held]),
  }
}

/** The lock of an address that was found only by listening on it. Nobody else is there. */
export async function lockAddress(address: Address): Promise<AddressLocks> {
  const server = await lock(address)
  return { started: () => undefined, release: () => drop([server]) }
}

async function lockPort(port: number): Promise<Server> {
  const until = performance.now() + startPatienceMs
  for (;;) {
    const server = await hold(`ringfence start ${port}`)
    if (server !== undefined) return server
    if (performance.now() > until) {
      throw new PerimeterError('RF_LISTEN', `another instance has been starting on port ${port}`)
    }
    await wait(retryMs)
  }
}

async function lock({ host, port }: Address): Promise<Server> {
  const server = await hold(`ringfence ${host}:${port}`)
  if (server !== undefined) return server
  throw new PerimeterError(
    'RF_LISTEN',
    `cannot listen on \`${host}:${port}\`: another instance serves there and would share its connections`,
  )
}

/** Undefined: somebody has it. */
async function hold(name: string): Promise<Server | undefined> {
  if (process.platform !== 'linux') {
    throw new PerimeterError('RF_LISTEN', '`workers` other than 1 need Linux')
  }
  // Whoever connects is no business of ours.
  const server = createServer((socket) => socket.destroy())
  return (await tryListen(server, { path: `\0${short(name)}` })) === undefined
    ? server.unref()
    : undefined
}

async function assertFree({ host, port }: Address): Promise<void> {
  const server = createServer()
  const problem = await tryListen(server, { host, port, exclusive: true })
  if (problem === undefined) {
    const { promise, resolve } = Promise.withResolvers<void>()
    server.close(() => resolve())
    await promise
    return
  }
  if (problem.code !== 'EADDRINUSE') return
  throw new PerimeterError(
    'RF_LISTEN',
    `cannot listen on \`${host}:${port}\`: something else listens there`,
    { cause: problem },
  )
}

function tryListen(
  server: Server,
  where: Parameters<Server['listen']>[0],
): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once('error', resolve)
    server.listen(where, () => {
      server.off('error', resolve)
      server.on('error', () => undefined)
      resolve(undefined)
    })
  })
}

/** `sun_path` holds 108 bytes (unix(7)). */
const maxNameBytes = 100

function short(name: string): string {
  return Buffer.byteLength(name) <= maxNameBytes
    ? name
    : `ringfence ${createHash('sha256').update(name).digest('hex')}`
}

function drop(servers: readonly Server[]): void {
  for (const server of servers) if (server.listening) server.close()
}
