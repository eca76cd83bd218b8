import { type IpAddress, parseAddress } from './address.ts'
import { type Hostname, parseHostname } from './hostname.ts'

/** `host:port` as it stands in CONNECT, Host and absolute URIs (RFC 9112 3.2, RFC 3986 3.2). */

/** A destination's or a service's host: a canonical name, or an address literal. */
export type Host = { readonly kind: 'name'; readonly name: Hostname } | IpAddress

export interface Authority {
  readonly host: Host
  readonly port: number
}

const maxPort = 65_535

/** Canonical text of a host, IPv6 in brackets. */
export function formatHost(host: Host): string {
  if (host.kind === 'name') return host.name
  return host.bytes.length === 16 ? `[${host.text}]` : host.text
}

/** Canonical text of an authority; the port is left out when it is `defaultPort`. */
export function formatAuthority(authority: Authority, defaultPort?: number): string {
  const host = formatHost(authority.host)
  return authority.port === defaultPort ? host : `${host}:${authority.port}`
}

/**
 * Parses an authority strictly: no userinfo, no spaces, brackets only around IPv6, a decimal port without sign or
 * leading zero. Without a port, `defaultPort` is taken; without that too, undefined.
 */
export function parseAuthority(text: string, defaultPort?: number): Authority | undefined {
  const closing = text.startsWith('[') ? text.indexOf(']') : -1
  const colon = text.indexOf(':', closing === -1 ? 0 : closing)
  const hostText = colon === -1 ? text : text.slice(0, colon)
  const host = parseHost(hostText)
  if (host === undefined) return undefined
  const port = colon === -1 ? defaultPort : parsePort(text.slice(colon + 1))
  return port === undefined ? undefined : { host, port }
}

/** Parses a host: a name, an IPv4 literal, or an IPv6 literal in brackets. */
export function parseHost(text: string): Host | undefined {
  if (text.startsWith('[')) {
    if (!text.endsWith(']')) return undefined
    const inner = text.slice(1, -1)
    return inner.includes(':') ? parseAddress(inner) : undefined
  }
  if (text.includes(':')) return undefined
  const address = parseAddress(text)
  if (address !== undefined) return address
  const name = parseHostname(text)
  return name === undefined ? undefined : { kind: 'name', name }
}

/** Parses a port: 1–65535, digits only. */
export function parsePort(text: string): number | undefined {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) return undefined
  const port = Number(text)
  return port <= maxPort ? port : undefined
}
