import { type IdentityHeaderNames, withoutCallerHeaders } from '../identity/identity-headers.ts'
import { type Authority, formatAuthority } from '../wire/authority.ts'
import {
  foldName,
  headerValues,
  type RawHeaders,
  withoutHeaders,
  withoutHopByHop,
} from '../wire/headers.ts'
import { type OwnVia, viaBehind } from '../wire/via.ts'

export const httpPort = 80

export interface OutgoingHeaders {
  readonly headers: string[]
  /** Identity and forwarding fields of the client, as spelled. */
  readonly removed: readonly string[]
}

/**
 * The fields of a client's request as they leave: its own, without what is for this hop, without anything that says who
 * or where it is or claims to be, with Host as it was decided, and with Via. What is named in Connection is gone before
 * our fields are set.
 */
export function writeOutgoingHeaders(
  raw: RawHeaders,
  options: {
    readonly authority: Authority
    readonly names: IdentityHeaderNames | undefined
    readonly via: OwnVia
  },
): OutgoingHeaders {
  const ends = withoutHopByHop(raw)
  const anonymous = options.names === undefined ? ends : withoutCallerHeaders(ends, options.names)
  const kept = withoutHeaders(anonymous, isReplaced)
  const host = formatAuthority(options.authority, httpPort)
  const via = viaBehind(raw, options.via)
  return {
    headers: ['host', host, ...kept, 'via', via],
    removed: namesOnlyIn(ends, anonymous),
  }
}

/** Names of identity and forwarding fields, as spelled: nobody believes them, and the log says that they were there. */
export function callerHeaderNames(raw: RawHeaders, names: IdentityHeaderNames): readonly string[] {
  return namesOnlyIn(raw, withoutCallerHeaders(raw, names))
}

/** Content of the request that is still to come has a length or is chunked; both have been checked. */
export function announcesBody(raw: RawHeaders): boolean {
  return (
    headerValues(raw, 'transfer-encoding').length > 0 ||
    headerValues(raw, 'content-length').some((value) => Number(value) > 0)
  )
}

/**
 * Host and Via are written afresh, Expect is answered by us, an offer of HTTP/2 is for this hop whether Connection
 * names it or not, and so are credentials for a proxy in any spelling.
 */
function isReplaced(lowerName: string): boolean {
  if (replaced.has(lowerName)) return true
  const folded = foldName(lowerName)
  return folded === 'via' || folded === 'http2-settings' || folded.startsWith('proxy-')
}

const replaced: ReadonlySet<string> = new Set(['host', 'via', 'expect'])

/** `fewer` is a sublist of `all`: the names of the fields that it lacks. */
function namesOnlyIn(all: RawHeaders, fewer: RawHeaders): string[] {
  const names: string[] = []
  let at = 0
  for (let index = 0; index < all.length; index += 2) {
    if (all[index] === fewer[at] && all[index + 1] === fewer[at + 1]) at += 2
    else names.push(all[index] ?? '')
  }
  return names
}
