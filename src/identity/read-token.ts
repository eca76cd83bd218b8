import { foldName, type RawHeaders } from '../wire/headers.ts'
import type { TokenFinding } from './token-finding.ts'

/** RFC 6750 2.1. What follows another scheme (Basic, SharedKey) is no token, and no attempt at one. */
const bearer = /^bearer(?: +|$)/i

/** The token of a field's value that holds one; undefined for another scheme. */
export function readBearer(value: string): string | undefined {
  const scheme = bearer.exec(value)?.[0]
  return scheme === undefined ? undefined : value.slice(scheme.length)
}

const several: TokenFinding = { kind: 'ambiguous', detail: 'several token headers' }

/**
 * The token in the one header that may carry it, as yet unread; undefined where there is none. A header of our own may
 * leave `Bearer` out; Authorization carries much else. `lowerName` is lower case.
 */
export function readToken(raw: RawHeaders, lowerName: string): string | TokenFinding | undefined {
  const folded = foldName(lowerName)
  let value: string | undefined
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? ''
    if (name.length !== lowerName.length || foldName(name) !== folded) continue
    if (value !== undefined) return several
    // In another spelling it is nothing to us. But it may be what somebody else reads, so it is one of several.
    value = name.toLowerCase() === lowerName ? (raw[index + 1] ?? '') : ''
  }
  if (value === undefined || value === '') return undefined
  return readBearer(value) ?? (lowerName === 'authorization' ? undefined : value)
}
