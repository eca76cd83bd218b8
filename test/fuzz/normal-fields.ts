/**
 * What may differ between what was sent and what is received on the other side of the proxy: fields for one hop only,
 * those that Connection names, and those that are the proxy's own to write or to take away.
 */

const perHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const neverNamed: ReadonlySet<string> = new Set(['content-length', 'host'])

/** Of a request: forwarding and identity, in any spelling; `Expect` is answered by the proxy. */
const ownOfRequest =
  /^(?:expect|proxy|proxy-.*|forwarded|x-forwarded.*|x-real-ip|x-nsp-.*|x-ringfence-.*)$/

const ownVia = /^1\.1 ringfence-[0-9a-f]{16}$/

/** Of an answer: ids, and a date where there is none. A length is none of an answer without content or in chunks. */
const ownOfAnswer = /^(?:date|x-ms-request-id|x-ringfence-correlation-id)$/

/**
 * `name: value` lines from Node's flat list, names in lower case, the same names in order: fields of other names may pass
 * each other (RFC 9110 5.3).
 */
export function normalFields(raw: readonly string[], kind: 'request' | 'answer'): string[] {
  const named = new Set<string>()
  each(raw, (name, value) => {
    if (name !== 'connection') return
    for (const option of value.split(',')) named.add(option.trim().toLowerCase())
  })
  const lines: string[] = []
  const cookies: string[] = []
  each(raw, (name, value) => {
    const folded = name.replaceAll(/[^a-z0-9]/g, '-')
    if (perHop.has(name) || (named.has(name) && !neverNamed.has(name))) return
    // Node's client writes it where others write nothing.
    if (kind === 'request' && name === 'content-length' && Number(value) === 0) return
    if (kind === 'request' && name === 'via' && ownVia.test(value)) return
    if (kind === 'request' ? ownOfRequest.test(folded) : ownOfAnswer.test(name)) return
    if (kind === 'request' && name === 'cookie') cookies.push(value)
    else lines.push(`${name}: ${value}`)
  })
  // Node's client writes several as one (RFC 6265 5.4).
  if (cookies.length > 0) lines.push(`cookie: ${cookies.join('; ')}`)
  const nameOf = (line: string): string => line.slice(0, line.indexOf(':'))
  return lines.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : 0))
}

/** Lines as they were read from the wire, as a flat list. */
export function flatFields(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
}

function each(raw: readonly string[], see: (name: string, value: string) => void): void {
  for (let index = 0; index + 1 < raw.length; index += 2) {
    // White space behind a value is none of it (RFC 9110 5.5); Node leaves spaces in front of a last tab.
    see((raw[index] ?? '').toLowerCase(), (raw[index + 1] ?? '').replace(/[ \t]+$/, ''))
  }
}
