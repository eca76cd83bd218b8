import {
  type IpAddress,
  isPrefix,
  parsePrefix,
  type Prefix,
  prefixCovers,
} from '../wire/address.ts'
import { type Authority, parsePort } from '../wire/authority.ts'
import { type Hostname, parseHostname } from '../wire/hostname.ts'

/**
 * What is reached directly although there is an upstream proxy. There is no standard for such lists and no two programs
 * read one alike, so this one means what it says: an exact name; `*.name` or `.name` for what is below it, never itself; a
 * prefix for destinations that are written as addresses (names are not resolved); each with `:port` for that port only.
 */
export type NoProxy = NoProxyTarget & {
  /** Undefined: every port. */
  readonly port: number | undefined
}

type NoProxyTarget =
  | { readonly kind: 'name'; readonly name: Hostname }
  | { readonly kind: 'below'; readonly name: Hostname }
  | { readonly kind: 'prefix'; readonly prefix: Prefix }

/** Parses one entry; undefined for anything else. */
export function parseNoProxy(text: string): NoProxy | undefined {
  const whole = parseTarget(text)
  if (whole !== undefined) return { ...whole, port: undefined }
  const colon = text.lastIndexOf(':')
  if (colon === -1) return undefined
  const port = parsePort(text.slice(colon + 1))
  const target = parseTarget(unbracketed(text.slice(0, colon)))
  return port === undefined || target === undefined ? undefined : { ...target, port }
}

function parseTarget(text: string | undefined): NoProxyTarget | undefined {
  if (text === undefined) return undefined
  const prefix = parsePrefix(text)
  if (isPrefix(prefix)) return { kind: 'prefix', prefix }
  const below = /^\*?\.(.+)$/.exec(text)?.[1]
  const name = text.endsWith('.') ? undefined : parseHostname(below ?? text)
  if (name === undefined) return undefined
  return { kind: below === undefined ? 'name' : 'below', name }
}

/** Beside a port, IPv6 has brackets, and nothing else has. */
function unbracketed(text: string): string | undefined {
  const inner = /^\[(.+)\]$/.exec(text)?.[1]
  if (inner === undefined) return text.includes(':') ? undefined : text
  return inner.includes(':') ? inner : undefined
}

/** Whether one of the entries is about this destination. */
export function isExempt(entries: readonly NoProxy[], { host, port }: Authority): boolean {
  return entries.some(
    (entry) =>
      (entry.port === undefined || entry.port === port) &&
      (host.kind === 'name' ? isNamed(entry, host.name) : isCovered(entry, host)),
  )
}

/** Whether one of the entries is about this name, on whatever port. */
export function mayBeDirect(entries: readonly NoProxy[], name: Hostname): boolean {
  return entries.some((entry) => isNamed(entry, name))
}

function isNamed(entry: NoProxy, name: Hostname): boolean {
  if (entry.kind === 'name') return entry.name === name
  return entry.kind === 'below' && name.endsWith(`.${entry.name}`)
}

function isCovered(entry: NoProxy, address: IpAddress): boolean {
  return entry.kind === 'prefix' && prefixCovers(entry.prefix, address)
}
