import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Service } from '../children.ts'
import { backendHost, type Candidate, originHost, type Place } from './candidate.ts'

/** Ringfence as users run it: `ringfence run` with a settings file and perimeters. */

/** What differs from the shortest configuration. */
export interface RingfenceExtras {
  /** Instead of keys of the settings. */
  readonly settings?: object
  /** Perimeter documents by file name, instead of the one that is there. */
  readonly perimeters?: Readonly<Record<string, object>>
  /** Arguments of Node.js itself. */
  readonly nodeArgs?: readonly string[]
}

export interface RingfenceCandidate extends Candidate {
  startWith(place: Place, extras: RingfenceExtras): Promise<Service>
}

const scope = {
  subscriptionId: '11111111-1111-1111-1111-111111111111',
  resourceGroup: 'bench',
}
/** As in the first line of `src/main.ts`, in the Dockerfile and in `npm run ringfence`. */
const youngGeneration = '--max-semi-space-size=4'
/** In the folder of the instance. */
export const adminSocket = 'admin.sock'
const root = path.resolve(import.meta.dirname, '../../..')

/** @param source run `src/main.ts`, not `dist/`, which must be built then. */
export function createRingfence(source: boolean): RingfenceCandidate {
  const program = path.join(root, source ? 'src/main.ts' : 'dist/main.js')
  const startWith = async (place: Place, extras: RingfenceExtras): Promise<Service> => {
    const { folder, core, port, children } = place
    const { perimeters = { 'perimeter.json': perimeterOf('bench', standardRules) } } = extras
    for (const [name, perimeter] of Object.entries(perimeters)) {
      writeFileSync(path.join(folder, name), JSON.stringify(perimeter))
    }
    const file = path.join(folder, 'ringfence.yaml')
    const files = Object.keys(perimeters)
    const all = { ...settingsOf(place), policy: { files }, ...extras.settings }
    writeFileSync(file, JSON.stringify(all))
    const service = await children.startService({
      name: 'ringfence',
      core,
      folder,
      port,
      program: process.execPath,
      args: [youngGeneration, ...(extras.nodeArgs ?? []), program, 'run', '--config', file],
    })
    // It opens last.
    while (!existsSync(path.join(folder, adminSocket))) await delay(10)
    return service
  }
  return {
    name: 'ringfence',
    install: 'npm ci',
    purposes: new Set(['reverse', 'reverse-tls', 'forward'] as const),
    destination: originHost,
    async version() {
      const manifest = readFileSync(path.join(root, 'package.json'), 'utf8')
      const { version }: { readonly version: string } = JSON.parse(manifest)
      return version
    },
    start: (place) => startWith(place, {}),
    startWith,
  }
}

export const libraryLaneName = 'ringfence-library'

/** The same with the lane that one can step back to. */
export function libraryLane(subject: RingfenceCandidate): Candidate {
  return {
    ...subject,
    name: libraryLaneName,
    purposes: new Set(['reverse', 'reverse-tls'] as const),
    start: (place) => subject.startWith(place, { settings: { lane: 'library' } }),
  }
}

function settingsOf({ purpose, port, target, certificate }: Place): object {
  const { certificateFile, keyFile } = certificate
  const listen = { host: '127.0.0.1', port }
  const tls = purpose === 'reverse-tls' ? { tls: { certificateFile, keyFile } } : {}
  // A sidecar has both sides, whichever is measured.
  const anyPort = { host: '127.0.0.1', port: 0 }
  const [inner, outer] = purpose === 'forward' ? [anyPort, listen] : [listen, anyPort]
  return {
    scope,
    resources: [{ id: 'orders', hosts: [backendHost], backend: `http://127.0.0.1:${target}` }],
    inbound: [{ name: 'public', listen: inner, ...tls }],
    outbound: [{ name: 'egress', listen: outer, resource: 'orders' }],
    egress: {
      ports: [target],
      hosts: { [originHost]: ['127.0.0.1'] },
      privateAddresses: { [originHost]: ['127.0.0.1'] },
    },
    audit: { file: 'access.log' },
    health: { listen: anyPort },
    admin: { socket: adminSocket },
  }
}

/** What every candidate checks: the source, and the name of the destination. */
export const standardRules: readonly object[] = [
  { name: 'office', direction: 'Inbound', addressPrefixes: ['127.0.0.0/8'] },
  { name: 'origin', direction: 'Outbound', fullyQualifiedDomainNames: [originHost] },
]

/** A perimeter of one profile and one member, the resource of that name or `orders`. */
export function perimeterOf(
  name: string,
  accessRules: readonly object[],
  resource = 'orders',
): object {
  const privateLinkResource = { id: resource }
  const association = { name: 'member', privateLinkResource, profile: { id: 'web' } }
  return {
    name,
    ...scope,
    location: 'local',
    profiles: [{ name: 'web', accessRules }],
    resourceAssociations: [{ ...association, accessMode: 'Enforced' }],
  }
}
