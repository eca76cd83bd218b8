import { createHash } from 'node:crypto'
import { type Guid, parseGuid } from './guid.ts'
import type { ResourceId } from './resource-id.ts'

/** The namespace of URLs (RFC 9562 6.6). */
const urlNamespace = Buffer.from('6ba7b8119dad11d180b400c04fd430c8', 'hex')

/** The GUID of a perimeter that declares none: UUIDv5 (RFC 9562 5.5) of its lower-cased resource id. */
export function defaultPerimeterGuid(id: ResourceId): Guid {
  const bytes = createHash('sha1').update(urlNamespace).update(id.key).digest().subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ]
  const guid = parseGuid(parts.join('-'))
  if (guid === undefined) throw new Error('a hash of 16 bytes makes a GUID')
  return guid
}
