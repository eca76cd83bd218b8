import { type IpAddress, parseAddress } from './address.ts'
import { parsePort } from './authority.ts'
import { KiB } from '../units.ts'

/** Who forwarded a request, in X-Forwarded-For (a convention) and Forwarded (RFC 7239). */

export type ForwardedHeader = 'x-forwarded-for' | 'forwarded'

/** One hop. Obfuscated identifiers, `unknown` and everything malformed are `unparsable`. */
export type Hop =
  | { readonly kind: 'address'; readonly address: IpAddress; readonly port: number | undefined }
  | { readonly kind: 'unparsable' }

/** All values together. No chain of proxies is longer; what is must not cost us time. */
const maxForwardedLength = 4 * KiB

const unparsable: Hop = { kind: 'unparsable' }

/**
 * Reads all values of the header as one list, leftmost hop first; undefined if it is too long to be taken seriously.
 * A Forwarded line that breaks the grammar anywhere is one unparsable hop: a quote that a client left open must never
 * swallow what a trusted proxy wrote after it.
 */
export function readForwarded(
  header: ForwardedHeader,
  values: readonly string[],
): readonly Hop[] | undefined {
  let length = 0
  for (const value of values) length += value.length
  if (length > maxForwardedLength) return undefined
  return header === 'forwarded'
    ? values.flatMap((value) => readForwardedLine(value))
    : values.flatMap((value) => value.split(',').map((hop) => readNode(trimOws(hop))))
}

/** `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`. */
function readNode(text: string): Hop {
  const bare = parseAddress(text)
  if (bare !== undefined) return { kind: 'address', address: bare, port: undefined }
  return readNodeWithPort(text)
}

/** RFC 7239 6: as above, but IPv6 always in brackets. */
function readNodeWithPort(text: string): Hop {
  const bracketed = text.startsWith('[')
  const colon = bracketed ? text.indexOf(':', text.indexOf(']')) : text.indexOf(':')
  const hostText = colon === -1 ? text : text.slice(0, colon)
  const address = parseAddress(bracketed ? hostText.slice(1, -1) : hostText)
  if (address === undefined || hostText.includes(':') !== bracketed) return unparsable
  if (colon === -1) return { kind: 'address', address, port: undefined }
  const port = parsePort(text.slice(colon + 1))
  return port === undefined ? unparsable : { kind: 'address', address, port }
}

/** token, `=`, token or quoted-string (RFC 7239 4, RFC 9110 5.6); sticky, each alternative consumes or fails. */
const pair =
  /([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)|"((?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*)")/y
const separator = /[\t ]*([,;])[\t ]*/y

function readForwardedLine(line: string): readonly Hop[] {
  const text = trimOws(line)
  const hops: Hop[] = []
  let names = new Set<string>()
  let hop: Hop = unparsable
  let position = 0
  for (;;) {
    pair.lastIndex = position
    const found = pair.exec(text)
    if (found === null) return [unparsable]
    position = pair.lastIndex
    const name = (found[1] ?? '').toLowerCase()
    // RFC 7239 4: each parameter at most once per element.
    if (names.has(name)) return [unparsable]
    names.add(name)
    if (name === 'for') {
      hop = readNodeWithPort(found[2] ?? (found[3] ?? '').replace(/\\(.)/g, '$1'))
    }
    if (position === text.length) return [...hops, hop]
    separator.lastIndex = position
    const next = separator.exec(text)
    if (next === null) return [unparsable]
    position = separator.lastIndex
    if (next[1] === ',') {
      hops.push(hop)
      hop = unparsable
      names = new Set()
    }
  }
}

/** Fields that carry addresses or names of earlier hops, in any spelling: removed from what we pass on and written afresh. */
const forwardingNames: ReadonlySet<string> = new Set([
  'forwarded',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'x-original-forwarded-for',
  'x-original-host',
])

/** Whether a field says where a request came from. `folded` is a name from `foldName`. */
export function isForwardingHeader(folded: string): boolean {
  return folded.startsWith('x-forwarded') || forwardingNames.has(folded)
}

export interface ForwardedFacts {
  /** Undefined where there is none (a Unix socket). */
  readonly client: IpAddress | undefined
  readonly proto: 'http' | 'https'
  /** The canonical authority that was addressed. */
  readonly host: string
}

/** Our own forwarding fields, as name and value in turn: one hop, ours, whatever came in. */
export function writeForwarded(header: ForwardedHeader, facts: ForwardedFacts): string[] {
  const { client, proto, host } = facts
  if (header === 'forwarded') {
    return ['forwarded', `for=${formatNode(client)};host="${host}";proto=${proto}`]
  }
  const own = ['x-forwarded-host', host, 'x-forwarded-proto', proto]
  return client === undefined ? own : ['x-forwarded-for', client.text, ...own]
}

function formatNode(client: IpAddress | undefined): string {
  if (client === undefined) return 'unknown'
  return client.bytes.length === 16 ? `"[${client.text}]"` : client.text
}

function trimOws(text: string): string {
  return text.replace(/^[\t ]+/, '').replace(/(?<![\t ])[\t ]+$/, '')
}
