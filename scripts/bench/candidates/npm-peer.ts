import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Candidate, Purpose } from './candidate.ts'
import { originHost } from './candidate.ts'

/** Proxy libraries from npm, each in the smallest program that logs and checks as the others do. */

/** Outside the tree: peers are no part of our dependencies. It stays for the next run. */
const peerFolder = path.join(tmpdir(), 'ringfence-bench-peers')

const wanted = { 'http-proxy': '1.18.1', 'http-proxy-3': '2.0.1', 'proxy-chain': '3.0.1' } as const
type Package = keyof typeof wanted

export const httpProxy = createPeer('http-proxy', 'reverse')
export const httpProxy3 = createPeer('http-proxy-3', 'reverse')
export const proxyChain = createPeer('proxy-chain', 'forward')

function createPeer(name: Package, purpose: Purpose): Candidate {
  const program = purpose === 'reverse' ? 'http-proxy.ts' : 'proxy-chain.ts'
  const home = path.join(peerFolder, 'node_modules', name)
  return {
    name,
    install: `npm install --prefix ${peerFolder} ${name}@${wanted[name]}`,
    purposes: new Set([purpose]),
    destination: originHost,
    async version() {
      const manifest = path.join(home, 'package.json')
      if (!existsSync(manifest)) return undefined
      const { version }: { readonly version: string } = JSON.parse(readFileSync(manifest, 'utf8'))
      return version
    },
    start({ folder, core, port, target, children }) {
      const order = { module: entryOf(home), port, target }
      const file = path.join(import.meta.dirname, '../peers', program)
      const args = [file, JSON.stringify(order)]
      return children.startService({ name, core, folder, port, program: process.execPath, args })
    },
  }
}

function entryOf(home: string): string {
  const manifest: { readonly main: string } = JSON.parse(
    readFileSync(path.join(home, 'package.json'), 'utf8'),
  )
  return path.join(home, manifest.main)
}
