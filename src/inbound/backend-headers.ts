import assert from 'node:assert/strict'
import type { OutgoingHttpHeaders } from 'node:http'
import { type IdentityHeaderNames, isCallerHeader } from '../identity/identity-headers.ts'
import { formatAuthority } from '../wire/authority.ts'
import { type ForwardedFacts, type ForwardedHeader, writeForwarded } from '../wire/forwarded.ts'
import {
  foldName,
  headerValues,
  hopByHopIn,
  type RawHeaders,
  withoutHeaders,
} from '../wire/headers.ts'
import { neverBehind } from '../wire/response-head.ts'
import type { OwnVia } from '../wire/via.ts'
import type { InboundContext } from './context.ts'
import type { Judgement, RequestFacts } from './judge-request.ts'

/** Fields under this prefix are ours alone: from outside they count for nothing and go nowhere. */
const ownPrefix = 'x-ringfence-'

export interface BackendHeadersInput {
  readonly rawHeaders: RawHeaders
  readonly identityHeaders: IdentityHeaderNames
  readonly forwardedHeader: ForwardedHeader
  readonly forwarded: ForwardedFacts
  /** Set behind what others wrote there, and after Connection could name it away. */
  readonly via: OwnVia
}

/**
 * What the back end gets: the client's fields as it spelled them, less hop-by-hop fields, those that Connection names,
 * identity and forwarding fields in every spelling, `Expect` (answered here), what is for proxies and everything under
 * our own prefix; then Via and our own forwarding fields. Host stays as received, for signatures such as Azure's SharedKey cover it.
 */
export function backendHeaders(input: BackendHeadersInput): OutgoingHttpHeaders {
  const { rawHeaders, forwardedHeader, forwarded, via } = input
  const headers = collect(rawHeaders, droppedFrom(input))
  addVia(headers, via)
  // A body that came in chunks leaves in chunks: Node frames no body by itself on GET, HEAD, DELETE and OPTIONS.
  if (isChunked(rawHeaders)) headers['transfer-encoding'] = 'chunked'
  const own = writeForwarded(forwardedHeader, forwarded)
  for (let index = 0; index < own.length; index += 2) headers[own[index] ?? ''] = own[index + 1]
  return headers
}

/** The same as the field lines of a request, as Latin-1 text with the empty line. */
export function backendFieldLines(input: BackendHeadersInput): string {
  const { rawHeaders, forwardedHeader, forwarded, via } = input
  const isDropped = droppedFrom(input)
  let lines = ''
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (!isDropped(name.toLowerCase())) lines += `${name}: ${rawHeaders[index + 1] ?? ''}\r\n`
  }
  if (isChunked(rawHeaders)) lines += 'Transfer-Encoding: chunked\r\n'
  lines += via.line
  const own = writeForwarded(forwardedHeader, forwarded)
  for (let index = 0; index < own.length; index += 2)
    lines += `${own[index]}: ${own[index + 1]}\r\n`
  return `${lines}\r\n`
}

/** What the back end gets of the fields behind a body: by the same rule, and nothing that says where a message goes or ends. */
export function backendTrailers(
  { identityHeaders }: BackendHeadersInput,
  rawTrailers: RawHeaders,
): string[] {
  const isDropped = droppedFrom({ rawHeaders: rawTrailers, identityHeaders })
  return withoutHeaders(
    rawTrailers,
    (lowerName) => isDropped(lowerName) || neverBehind.has(lowerName),
  )
}

function droppedFrom({
  rawHeaders,
  identityHeaders,
}: Pick<BackendHeadersInput, 'rawHeaders' | 'identityHeaders'>): (lowerName: string) => boolean {
  const isHopByHop = hopByHopIn(rawHeaders)
  return (lowerName) => {
    const folded = foldName(lowerName)
    return isHopByHop(lowerName) || isCallerHeader(identityHeaders, folded) || isForUs(folded)
  }
}

/** What those are made of, from what was admitted. Throws where the listener is gone, which admits nothing. */
export function backendHeadersInput(
  { ports, via }: Pick<InboundContext, 'ports' | 'via'>,
  facts: RequestFacts,
  { authority, caller }: Judgement,
): BackendHeadersInput {
  const inForce = ports.currentInForce()
  const listener = inForce?.settings.inbound.find(({ name }) => name === facts.listener)
  assert(inForce !== undefined && listener !== undefined && authority !== undefined)
  return {
    rawHeaders: facts.rawHeaders,
    via,
    identityHeaders: inForce.settings.identity.headers,
    forwardedHeader: listener.forwardedHeader,
    forwarded: {
      client: caller?.address,
      proto: facts.isSecure ? 'https' : 'http',
      host: formatAuthority(authority, facts.isSecure ? 443 : 80),
    },
  }
}

/** The fields of an upgrade to WebSocket besides (RFC 6455 4.1). */
export const upgradeFields = { connection: 'Upgrade', upgrade: 'websocket' } as const

/** Whether a request has a body, by its framing (RFC 9112 6.3). */
export function hasBody(rawHeaders: RawHeaders): boolean {
  return (
    isChunked(rawHeaders) ||
    headerValues(rawHeaders, 'content-length').some((value) => Number(value) !== 0)
  )
}

function isChunked(rawHeaders: RawHeaders): boolean {
  return headerValues(rawHeaders, 'transfer-encoding').length > 0
}

/**
 * Answered here, under our own prefix, or for a proxy. CGI hands `Proxy` to its program as HTTP_PROXY, the proxy that the
 * program then uses (CVE-2016-5385).
 */
function isForUs(folded: string): boolean {
  return (
    folded === 'expect' ||
    folded === 'proxy' ||
    folded.startsWith('proxy-') ||
    folded.startsWith(ownPrefix)
  )
}

/**
 * Node's form: one key for each field, under its first spelling. An ordinary object: one without a prototype is a shape
 * that does not pass from request to request, and what it refers to lives until everything is collected.
 */
function collect(raw: RawHeaders, drop: (lowerName: string) => boolean): OutgoingHttpHeaders {
  const spellings = new Map<string, string>()
  const headers: OutgoingHttpHeaders = {}
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? ''
    const value = raw[index + 1] ?? ''
    const lower = name.toLowerCase()
    if (drop(lower)) continue
    const spelled = spellings.get(lower)
    if (spelled === undefined) {
      spellings.set(lower, name)
      setField(headers, name, value)
      continue
    }
    const before = headers[spelled]
    if (Array.isArray(before)) before.push(value)
    else setField(headers, spelled, [String(before), value])
  }
  return headers
}

function addVia(headers: OutgoingHttpHeaders, { value }: OwnVia): void {
  const name = Object.keys(headers).find((spelled) => spelled.toLowerCase() === 'via') ?? 'Via'
  const passed = headers[name]
  headers[name] = passed === undefined ? value : [...[passed].flat().map(String), value]
}

/** `__proto__` is a field like any other. */
function setField(headers: OutgoingHttpHeaders, name: string, value: string | string[]): void {
  if (name !== '__proto__') {
    headers[name] = value
    return
  }
  Object.defineProperty(headers, name, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  })
}
