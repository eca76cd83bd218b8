import { once } from 'node:events'
import { join } from 'node:path'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import {
  type AlternativeName,
  type Authority,
  createAuthority,
  type Issued,
} from '../../src/certificates/authority.ts'
import type { ConfigurationFiles } from './ringfence.ts'
import { guidFor, resourceId } from './settings-parts.ts'

/** Authorities and certificates as members of a perimeter have them, and clients that show them. */

const day = 24 * 60 * 60 * 1000

export const wide = { from: new Date(Date.now() - day), until: new Date(Date.now() + day) }

export async function memberAuthority(name = 'members'): Promise<Authority> {
  return createAuthority(name, wide)
}

/** As a certificate names a resource of the tests' scope. */
export function memberName(resource: string, perimeter = 'shop'): AlternativeName {
  const path = resource.startsWith('/') ? resource : resourceId(resource).text
  return { type: 'url', value: `spiffe://${guidFor(perimeter)}${path}` }
}

export async function issueMember(
  authority: Authority,
  resource: string,
  perimeter?: string,
): Promise<Issued> {
  return authority.issue({
    commonName: resource,
    alternativeNames: [memberName(resource, perimeter)],
  })
}

/** Writes a certificate with its key; the names of the files, for settings. */
export async function writePair(
  files: ConfigurationFiles,
  name: string,
  { certificate, key }: Issued,
): Promise<{ readonly certificateFile: string; readonly keyFile: string }> {
  await files.write(`${name}.pem`, certificate)
  await files.write(`${name}.key`, key)
  return {
    certificateFile: join(files.folder, `${name}.pem`),
    keyFile: join(files.folder, `${name}.key`),
  }
}

export interface ShowOptions extends ConnectionOptions {
  readonly port: number
  /** What the client shows; what stands above its own certificate goes along in `chain`. */
  readonly shown?: Issued | undefined
  readonly chain?: string
}

/** Connects as `orders.test` and resolves once the handshake is over. */
export async function connectShowing(options: ShowOptions): Promise<TLSSocket> {
  const { shown, chain = '', ...rest } = options
  const pair = shown && { cert: shown.certificate + chain, key: shown.key }
  const socket = connect({ host: '127.0.0.1', servername: 'orders.test', ...pair, ...rest })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket
}
