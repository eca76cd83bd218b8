import { isIP } from 'node:net'
import { createAuthority } from './authority.ts'

/** A file to be written: private ones for their owner alone. */
export interface CertificateFile {
  readonly name: string
  readonly text: string
  readonly isPrivate: boolean
}

export interface WorkingSetRequest {
  /** `uri` says who it is (`perimeter/member-uri`); the files are called `name`. */
  readonly members: readonly { readonly name: string; readonly uri: string }[]
  /** Names and addresses under which clients reach the listeners. */
  readonly hosts: readonly string[]
  readonly from: Date
  readonly until: Date
}

/**
 * An authority, a certificate for the listeners, one for each member, which proves it to other instances as client and as
 * server, and a list on which nothing is revoked.
 */
export async function makeWorkingSet(
  request: WorkingSetRequest,
): Promise<readonly CertificateFile[]> {
  const { members, hosts, from, until } = request
  const authority = await createAuthority('Ringfence authority', { from, until })
  const files = [
    ...pair('ca', authority),
    { name: 'ca.crl', text: await authority.revoke([]), isPrivate: false },
  ]
  const shown = [...hosts, 'localhost', '127.0.0.1', '::1']
  const alternativeNames = [...new Set(shown)].map((value) => ({
    type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const),
    value,
  }))
  const listeners = { commonName: 'Ringfence listeners', alternativeNames }
  files.push(...pair('server', await authority.issue({ ...listeners, usage: 'server' })))
  for (const { name, uri } of members) {
    const alternativeNames = [{ type: 'url', value: uri } as const]
    files.push(...pair(name, await authority.issue({ commonName: name, alternativeNames })))
  }
  return files
}

function pair(
  name: string,
  made: { readonly certificate: string; readonly key: string },
): CertificateFile[] {
  return [
    { name: `${name}.pem`, text: made.certificate, isPrivate: false },
    { name: `${name}.key`, text: made.key, isPrivate: true },
  ]
}
