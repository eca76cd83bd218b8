import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { once } from 'node:events'
import type { Children } from './children.ts'
import { makeCertificate } from './certificate.ts'
import {
  billingPerimeter,
  settingsDocument,
  shopPerimeter,
  startRules,
  type ShopRules,
} from './documents.ts'
import { addresses, type Ports, type World } from './world.ts'

/** Builds the world: folder, certificate, mock services, ports, documents. */

const certificateNames = ['vault.demo.example', 'payments.demo.example']

/**
 * Builds it all in the folder, which is the caller's, and starts the mock services.
 *
 * @throws Error with one line for a person where this machine lacks something.
 */
export async function createWorld(children: Children, folder: string): Promise<World> {
  await requireAddresses()
  const certificate = await makeCertificate(folder, certificateNames)
  const text = await readFile(certificate.certificateFile, 'utf8')
  const [blob, vault, search, payments, updates, drop] = await Promise.all([
    children.startBackEnd('blob storage'),
    children.startBackEnd('vault', certificate),
    children.startBackEnd('search'),
    children.startBackEnd('payments', certificate),
    children.startBackEnd('updates'),
    children.startBackEnd("attacker's drop"),
  ])
  const world: World = {
    folder,
    settingsFile: path.join(folder, 'ringfence.yaml'),
    shopFile: path.join(folder, 'perimeters', 'shop.yaml'),
    logFile: path.join(folder, 'access.jsonl'),
    adminSocket: path.join(folder, 'admin.sock'),
    certificate: { ...certificate, text },
    ports: await choosePorts(),
    services: { blob, vault, search, payments, updates, drop },
  }
  await mkdir(path.dirname(world.shopFile))
  await writeFile(world.settingsFile, settingsDocument(world))
  await writeFile(path.join(folder, 'perimeters', 'billing.yaml'), billingPerimeter())
  await writePolicy(world, shopPerimeter(startRules))
  return world
}

/** Changes the perimeter as an administrator would: a new file under the old name. */
export async function changeRules(world: World, rules: ShopRules): Promise<void> {
  await writePolicy(world, shopPerimeter(rules))
}

/** Puts this text where the perimeter was, whole, so that nobody reads half of it. */
export async function writePolicy(world: World, text: string): Promise<void> {
  const draft = path.join(world.folder, 'shop.draft')
  await writeFile(draft, text)
  await rename(draft, world.shopFile)
}

/** Somebody may write until the last moment: a check that was interrupted, a process that was killed. */
export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 })
}

async function choosePorts(): Promise<Ports> {
  const held = await Promise.all(Array.from({ length: 9 }, () => holdPort()))
  const numbers = held.map(({ port }) => port)
  await Promise.all(held.map(({ release }) => release()))
  const take = (): number => numbers.pop() ?? 0
  return {
    public: take(),
    publicTls: take(),
    private: take(),
    ordersEgress: take(),
    searchEgress: take(),
    ledgerEgress: take(),
    strayEgress: take(),
    health: take(),
    closed: take(),
  }
}

async function holdPort(): Promise<{ port: number; release: () => Promise<unknown> }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address: AddressInfo | string | null = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    port,
    release: async () => {
      server.close()
      await once(server, 'close')
    },
  }
}

/** Linux answers on all of 127.0.0.0/8; elsewhere the addresses must be added first. */
async function requireAddresses(): Promise<void> {
  for (const address of Object.values(addresses)) {
    const server = createServer().listen(0, address)
    try {
      await once(server, 'listening')
    } catch (cause) {
      throw new Error(
        `this machine has no address ${address}; on macOS: sudo ifconfig lo0 alias ${address}`,
        { cause },
      )
    } finally {
      server.close()
    }
  }
}
