import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Place } from './candidate.ts'
import { backendHost, type Candidate, originHost } from './candidate.ts'

/** Ringfence as users run it: `ringfence run` with a settings file and a perimeter. */

const root = path.resolve(import.meta.dirname, '../../..')
const scope = { subscriptionId: '11111111-1111-1111-1111-111111111111', resourceGroup: 'bench' }

/** @param source run `src/main.ts`, not `dist/`, which must be built then. */
export function createRingfence(source: boolean): Candidate {
  const program = path.join(root, source ? 'src/main.ts' : 'dist/main.js')
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
    start(place) {
      const { folder, core, port, children } = place
      const file = path.join(folder, 'ringfence.yaml')
      writeFileSync(file, JSON.stringify(settings(place)))
      writeFileSync(path.join(folder, 'perimeter.yaml'), JSON.stringify(perimeter))
      const args = [program, 'run', '--config', file]
      const { execPath } = process
      return children.startService({
        name: 'ringfence',
        core,
        folder,
        port,
        program: execPath,
        args,
      })
    },
  }
}

function settings({ purpose, port, target, certificate }: Place): object {
  const { certificateFile, keyFile } = certificate
  const listen = { host: '127.0.0.1', port }
  const tls = purpose === 'reverse-tls' ? { tls: { certificateFile, keyFile } } : {}
  // A sidecar has both sides, whichever is measured.
  const anyPort = { host: '127.0.0.1', port: 0 }
  const [inner, outer] = purpose === 'forward' ? [anyPort, listen] : [listen, anyPort]
  return {
    scope,
    policy: { files: ['perimeter.yaml'] },
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
    admin: { socket: 'admin.sock' },
  }
}

const perimeter = {
  name: 'bench',
  ...scope,
  location: 'local',
  profiles: [
    {
      name: 'web',
      accessRules: [
        { name: 'office', direction: 'Inbound', addressPrefixes: ['127.0.0.0/8'] },
        { name: 'origin', direction: 'Outbound', fullyQualifiedDomainNames: [originHost] },
      ],
    },
  ],
  resourceAssociations: [
    {
      name: 'orders',
      privateLinkResource: { id: 'orders' },
      profile: { id: 'web' },
      accessMode: 'Enforced',
    },
  ],
}
