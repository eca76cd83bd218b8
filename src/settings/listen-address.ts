import { type IpAddress, parseAddress } from '../wire/address.ts'
import { parseHostname } from '../wire/hostname.ts'
import type { ListenAddress, TcpAddress } from './settings.ts'

/** Longest path that fits `sockaddr_un` on Linux, without its final NUL (unix(7)). */
export const maxSocketPathBytes = 107

/** What is wrong with the host of a listener, in the end of a sentence; undefined for nothing. */
export function listenHostProblem(host: string): string | undefined {
  if (parseAddress(host) !== undefined) return undefined
  if (host.startsWith('[')) return 'is no address; write IPv6 addresses without brackets here'
  if (isLocalhost(host)) return undefined
  return 'is no address to listen on; write an IP address, or `localhost`'
}

/** Whether only processes of this machine can connect. A name counts only if it is `localhost` (RFC 6761 6.3). */
export function isLocalOnly(listen: ListenAddress): boolean {
  if ('socket' in listen) return true
  const address = parseAddress(listen.host)
  return address === undefined ? isLocalhost(listen.host) : isLoopback(address)
}

/** Whether both cannot be bound at once. Port 0 is free each time. */
export function collide(a: ListenAddress, b: ListenAddress): boolean {
  if ('socket' in a || 'socket' in b) return 'socket' in a && 'socket' in b && a.socket === b.socket
  if (a.port !== b.port || a.port === 0) return false
  return normalHost(a) === normalHost(b) || isAny(a.host) || isAny(b.host)
}

/** Whether a connection to the host on this machine, at the listener's port, arrives at the listener. */
export function isReachedBy(listen: TcpAddress, host: string): boolean {
  const target = normalHost({ host })
  if (target === normalHost(listen)) return true
  const address = parseAddress(target)
  return isAny(listen.host) && address !== undefined && (isLoopback(address) || isAny(target))
}

export function formatListen(listen: ListenAddress): string {
  if ('socket' in listen) return listen.socket
  return listen.host.includes(':')
    ? `[${listen.host}]:${listen.port}`
    : `${listen.host}:${listen.port}`
}

function isLoopback(address: IpAddress): boolean {
  return address.bytes.length === 4 ? address.bytes[0] === 127 : address.text === '::1'
}

function isAny(host: string): boolean {
  const text = parseAddress(host)?.text
  return text === '0.0.0.0' || text === '::'
}

function isLocalhost(host: string): boolean {
  return parseHostname(host) === 'localhost'
}

function normalHost({ host }: { readonly host: string }): string {
  if (isLocalhost(host)) return '127.0.0.1'
  return parseAddress(host)?.text ?? host.toLowerCase()
}
