import { formatAuthority, parseAuthority } from '../../src/wire/authority.ts'
import type { Check } from './compare-requests.ts'
import { bendMaybe, type Dice } from './grammar.ts'

const hosts = [
  'api.example',
  'API.Example.',
  'a_b.example',
  'xn--bcher-kva.example',
  '127.0.0.1',
  '0177.0.0.1',
  '0x7f.1',
  '2130706433',
  '192.0.2.1.',
  '[::1]',
  '[2001:DB8::1]',
  '[::ffff:192.0.2.1]',
  '[fe80::1%25eth0]',
  '1.2.3.4.example',
  'a.0x7f',
  'b\u00fccher.example',
  '\uff41pi.example',
  'api\u3002example',
] as const

/** Authorities as they stand in requests, almost. */
export function makeAuthority(dice: Dice): string {
  const host = dice.pick(hosts)
  const port = dice.pick(['', ':443', ':80', ':0443', ':65536', ':', ':+1', ':443:80'])
  const user = dice.isRare(6) ? dice.pick(['a@', 'a:b@', '@']) : ''
  return bendMaybe(dice, Buffer.from(user + host + port, 'utf8').toString('latin1'))
}

/**
 * Whatever we read is what a WHATWG URL parser reads in it, which is what is behind us as often as not: the same host, the
 * same port, and nothing else. And it reads the same once more in the form that we write.
 */
export function startAuthorityCheck(): Check {
  return async (text, trial) => {
    const read = parseAuthority(text, 8080)
    if (read === undefined) return undefined
    trial.isWhole = true
    const written = formatAuthority(read)
    const again = parseAuthority(written)
    if (again === undefined || formatAuthority(again) !== written)
      return `${written} is not canonical`
    if (/[^!-~]/.test(text)) return `more than visible ASCII is read as ${written}`
    const url = readUrl(text)
    // It looks into A-labels and finds some of them wrong, which is no concern of ours.
    if (url === undefined) return /xn--/i.test(text) ? undefined : `${written} is no URL to others`
    const { hostname, port, username, password, pathname, search, hash } = url
    if (username + password + search + hash !== '' || pathname !== '/')
      return `${url.href} is more than ${written}`
    const theirs = `${canonical(hostname)}:${port === '' ? defaultPort(text) : port}`
    return theirs === written ? undefined : `read as ${written}, elsewhere as ${theirs}`
  }
}

function readUrl(text: string): URL | undefined {
  return URL.canParse(`http://${text}/`) ? new URL(`http://${text}/`) : undefined
}

/** Where it names no port, or the one that a URL leaves out. */
function defaultPort(text: string): number {
  return text.endsWith(':80') ? 80 : 8080
}

/** Without the dot behind it, and IPv4 that is mapped as the IPv4 that it is (RFC 4291 2.5.5.2). */
function canonical(hostname: string): string {
  const mapped = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(hostname)
  if (mapped === null) return hostname.replace(/\.$/, '')
  const bytes = mapped.slice(1).flatMap((group) => {
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
  return bytes.join('.')
}
