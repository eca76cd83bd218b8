import { createHash } from 'node:crypto'
import { type Guid, parseGuid } from './guid.ts'
import type { ResourceId } from './resource-id.ts'

/** Namespace of URLs (RFC 9562 6.6). */
const urlNamespace = Buffer.from('6ba7b8119dad11d180b400c04fd430c8', 'hex')

/**
 * The GUID of a perimeter that declares none, or whose documents are not known here: UUIDv5 (RFC 9562 5.5) in the URL
 * namespace of the lower-cased resource id. Instances that never met agree on it; Entra tokens carry the real one.
 */
export function defaultPerimeterGuid(id: ResourceId): Guid {
  const digest = createHash('sha1').update(urlNamespace).update(id.key, 'utf8').digest()
  digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x50, 6)
  digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = digest.toString('hex')
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20, 32),
  ]
  const guid = parseGuid(parts.join('-'))
  if (guid === undefined) throw new TypeError('a version 5 GUID has the text form of a GUID')
  return guid
}
