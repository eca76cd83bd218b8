import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeCertificate } from '../bench/certificate.ts'
import type { Children, Service } from '../bench/children.ts'
import { freePort } from '../bench/free-port.ts'
import { askAdmin } from './admin.ts'
import type { SoakOptions } from './options.ts'
import type { OriginOrder } from './origin.ts'

/**
 * What a soak runs:
 *
 *   clients ──▶ inbound (plain, TLS) ──▶ orders (always there), catalog (restarted now and then)
 *   clients ──▶ outbound ──▶ origin.soak.example, which is orders, too
 */
export interface World {
  readonly folder: string
  /** Of Ringfence. */
  readonly threads: number
  readonly ringfence: Service
  readonly ports: Ports
  /** Ends the catalog's process and starts it again; resolves when it listens. */
  restartCatalog(): Promise<void>
  /** Writes the perimeter file: text as it is, a number as an edition of the good one. */
  writePerimeter(content: number | string): void
}

export interface Ports {
  readonly inbound: number
  readonly tls: number
  readonly outbound: number
  readonly orders: OriginOrder
}

export const ordersHost = 'orders.soak.example'
export const catalogHost = 'catalog.soak.example'
/** A name that a rule allows. */
export const originHost = 'origin.soak.example'
/** A name that no rule names. */
export const deniedHost = 'denied.soak.example'

const scope = { subscriptionId: '11111111-1111-1111-1111-111111111111', resourceGroup: 'soak' }
const program = new URL('../../src/main.ts', import.meta.url).pathname
const probe = new URL('./probes/resources.ts', import.meta.url).href
const leak = new URL('./probes/plant.ts', import.meta.url).href
const originProgram = new URL('./origin.ts', import.meta.url).pathname
const readyTimeoutMs = 20_000

export async function createWorld(
  children: Children,
  options: Pick<SoakOptions, 'workers' | 'plant'> & { readonly folder: string },
): Promise<World> {
  const { folder, workers, plant } = options
  const orders = { http: await freePort(), echo: await freePort() }
  const catalog = { http: await freePort(), echo: await freePort() }
  await startOrigin(children, { name: 'orders', folder, order: orders })
  let running = await startOrigin(children, { name: 'catalog', folder, order: catalog })
  const ports: Ports = {
    inbound: await freePort(),
    tls: await freePort(),
    outbound: await freePort(),
    orders,
  }
  const own = path.join(folder, 'ringfence')
  mkdirSync(own)
  const writePerimeter: World['writePerimeter'] = (content) => {
    const text = typeof content === 'string' ? content : JSON.stringify(perimeter(content))
    // Whole or not at all: what is half written would be broken in a way nobody meant.
    writeFileSync(path.join(own, 'soak.new'), text)
    renameSync(path.join(own, 'soak.new'), path.join(own, 'soak.yaml'))
  }
  writePerimeter(0)
  const settings = settingsOf(ports, { folder, catalog, workers })
  writeFileSync(path.join(own, 'ringfence.yaml'), JSON.stringify(settings))
  const imports = [probe, ...(plant.length === 0 ? [] : [`${leak}?${plant.join('&')}`])]
  const ringfence = await children.startService({
    name: 'ringfence',
    folder: own,
    port: ports.inbound,
    program: process.execPath,
    args: [
      ...imports.flatMap((url) => ['--import', url]),
      program,
      'run',
      '--config',
      'ringfence.yaml',
    ],
  })
  await untilReady(own)
  return {
    folder: own,
    threads: workers === 1 ? 1 : 1 + workers,
    ringfence,
    ports,
    writePerimeter,
    async restartCatalog() {
      await running.stop()
      running = await startOrigin(children, { name: 'catalog', folder, order: catalog })
    },
  }
}

let starts = 0

function startOrigin(
  children: Children,
  options: { readonly name: string; readonly folder: string; readonly order: OriginOrder },
): Promise<Service> {
  const { name, order } = options
  const folder = path.join(options.folder, `${starts++}-${name}`)
  mkdirSync(folder)
  const args = [originProgram, JSON.stringify(order)]
  return children.startService({ name, folder, port: order.echo, program: process.execPath, args })
}

function settingsOf(
  ports: Ports,
  options: {
    readonly folder: string
    readonly catalog: OriginOrder
    readonly workers: number
  },
): object {
  const { folder, catalog, workers } = options
  const { certificateFile, keyFile } = makeCertificate(folder, ordersHost)
  const listen = (port: number): object => ({ host: '127.0.0.1', port })
  const backend = ({ http }: OriginOrder): string => `http://127.0.0.1:${http}`
  return {
    scope,
    policy: { files: ['soak.yaml'] },
    resources: [
      { id: 'orders', hosts: [ordersHost], backend: backend(ports.orders) },
      { id: 'catalog', hosts: [catalogHost], backend: backend(catalog) },
    ],
    inbound: [
      { name: 'plain', listen: listen(ports.inbound) },
      { name: 'tls', listen: listen(ports.tls), tls: { certificateFile, keyFile } },
    ],
    outbound: [{ name: 'egress', listen: listen(ports.outbound), resource: 'orders' }],
    egress: {
      ports: [ports.orders.http, ports.orders.echo],
      hosts: { [originHost]: ['127.0.0.1'] },
      privateAddresses: { [originHost]: ['127.0.0.1'] },
    },
    audit: { file: 'access.log' },
    admin: { socket: 'admin.sock' },
    workers,
  }
}

function perimeter(edition: number): object {
  const member = (name: string): object => ({
    name,
    privateLinkResource: { id: name },
    profile: { id: 'web' },
    accessMode: 'Enforced',
  })
  const names = [originHost, `edition-${edition}.soak.example`]
  return {
    name: 'soak',
    ...scope,
    location: 'local',
    profiles: [
      {
        name: 'web',
        accessRules: [
          { name: 'here', direction: 'Inbound', addressPrefixes: ['127.0.0.0/8'] },
          { name: 'origin', direction: 'Outbound', fullyQualifiedDomainNames: names },
        ],
      },
    ],
    resourceAssociations: [member('orders'), member('catalog')],
  }
}

/** The admin socket opens last. */
async function untilReady(folder: string): Promise<void> {
  const until = performance.now() + readyTimeoutMs
  for (;;) {
    try {
      await askAdmin(folder, { method: 'GET', path: '/status' })
      return
    } catch (error) {
      if (performance.now() > until) throw error
      await delay(20)
    }
  }
}
