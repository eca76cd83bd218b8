import { guidFor, resourceId } from '../support/settings-parts.ts'
import { partnerSubscription } from './world.ts'

/** Ways to say who one is without being believed (threats 2.5). */

export interface Claim {
  readonly note: string
  /** The header that is meant, in its own spelling. */
  readonly name: string
  /** Header lines, each with its CR LF; latin1. */
  readonly lines: string
  /** Field lines behind a body in chunks. */
  readonly trailers?: string
  /** No parser of HTTP may read it. */
  readonly isBroken: boolean
  /** A peer that is believed is believed when it says so. */
  readonly isPlain: boolean
}

/** The headers that settings name, and what would open `partner.test` if it were believed. */
const identity = [
  ['X-Nsp-Subscription-Id', partnerSubscription],
  ['X-Nsp-Perimeter-Id', guidFor('shop')],
  ['X-Nsp-Resource-Id', resourceId('vault').key],
] as const

/** What is believed elsewhere: by other proxies, by frameworks, by our own next hop. */
const others = [
  ['X-Forwarded-For', '198.51.100.7'],
  ['X-Forwarded-Host', 'closed.test'],
  ['X-Forwarded-Proto', 'gopher'],
  ['X-Forwarded-User', 'admin'],
  ['X-Forwarded-Uri', '/admin'],
  ['Forwarded', 'for=198.51.100.7;host=closed.test'],
  ['X-Real-Ip', '198.51.100.7'],
  ['X-Ringfence-Caller', 'vault'],
] as const

const plain = /(?:as it is|in capitals|in small letters)$/

export function headerClaims(): readonly Claim[] {
  return [...identity, ...others].flatMap(([name, value]) => claims(name, value))
}

function claims(name: string, value: string): readonly Claim[] {
  const under = name.replaceAll('-', '_')
  const spelled = spellings(name).map(([note, field]) => [note, `${field}: ${value}\r\n`] as const)
  const several = [
    ['twice (CVE-2026-26308)', `${name}: ${value}\r\n${name}: ${value}\r\n`],
    ['twice, empty first', `${name}: \r\n${name}: ${value}\r\n`],
    ['twice, in capitals first', `${name.toUpperCase()}: none\r\n${name}: ${value}\r\n`],
    ['in two spellings', `${name}: ${value}\r\n${under}: ${value}\r\n`],
    ['as a list (CVE-2021-32777)', `${name}: none, ${value}\r\n`],
    ['named in Connection (CVE-2024-45410)', `${name}: ${value}\r\nConnection: ${name}\r\n`],
    [
      'with what we write ourselves in Connection (CVE-2026-29054)',
      `${under}: ${value}\r\nConnection: x-forwarded-for, X-Forwarded-Host, x-forwarded-proto\r\n`,
    ],
  ] as const
  const broken = [
    ['on a folded line', `${name}:\r\n ${value}\r\n`],
    ['folded into another', `X-A: 1\r\n ${name}: ${value}\r\n`],
    ['folded with a tab', `X-A: 1\r\n\t${name}: ${value}\r\n`],
    ['behind a bare LF', `X-A: 1\n${name}: ${value}\r\n`],
    ['behind a bare CR', `X-A: 1\r${name}: ${value}\r\n`],
    ['with a blank before the colon', `${name} : ${value}\r\n`],
    ['with a tab before the colon', `${name}\t: ${value}\r\n`],
    ['with a NUL before its value', `${name}: \0${value}\r\n`],
    ['with a NUL in its name', `${name}\0: ${value}\r\n`],
    ['with a blank in its name', `${name.replace(/[- ]|$/, ' ')}x: ${value}\r\n`],
    ['with a byte beyond ASCII in its name', `${name}\xa0: ${value}\r\n`],
  ] as const
  return [
    ...[...spelled, ...several].map(([note, lines]) => ({
      note: `${name} ${note}`,
      name,
      lines,
      isBroken: false,
      isPlain: plain.test(note),
    })),
    ...[name, under].map((field) => ({
      note: `${field} in trailers`,
      name,
      lines: `Transfer-Encoding: chunked\r\nTrailer: ${field}\r\n`,
      trailers: `${field}: ${value}\r\n`,
      isBroken: false,
      isPlain: false,
    })),
    ...broken.map(([note, lines]) => ({
      note: `${name} ${note}`,
      name,
      lines,
      isBroken: true,
      isPlain: false,
    })),
  ]
}

/** Every sign for `-`: CGI, WSGI and many a proxy take them for the same (oauth2-proxy CVE-2025-64484). */
function spellings(name: string): readonly (readonly [note: string, name: string])[] {
  const all: readonly (readonly [string, string])[] = [
    ['as it is', name],
    ['in capitals', name.toUpperCase()],
    ['in small letters', name.toLowerCase()],
    ['in capitals with underscores', name.toUpperCase().replaceAll('-', '_')],
    ['with one underscore', name.replace('-', '_')],
    ...['_', '.', '~', '+', '!', '|', "'"].map(
      (sign) => [`with ${sign}`, name.replaceAll('-', sign)] as const,
    ),
  ]
  return all.filter(([, one], index) => all.findIndex(([, other]) => other === one) === index)
}

/** Whether a field says who calls or from where to anybody who folds names: letters and digits count, signs are one. */
export function isClaim(field: string): boolean {
  const fold = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-')
  return [...identity, ...others].some(([name]) => fold(name) === fold(field))
}
