import fc from 'fast-check'
import t from 'tap'
import { formatAuthority, parseAuthority, parseHost, parsePort } from '../../src/wire/authority.ts'
import { parseHostname, parseNamePattern } from '../../src/wire/hostname.ts'

const limits = { numRuns: 1000, interruptAfterTimeLimit: 2000 }

/** Mostly almost right. */
const almost = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...'aZ0x19.-_:[]%@/\\*,\0 '.split('')) }),
  fc.tuple(fc.domain(), fc.string({ maxLength: 3 })).map(([domain, more]) => domain + more),
)

void t.test(
  'no text makes the parsers throw, and what they take prints to what they read again',
  async (t) => {
    const run = fc.check(
      fc.property(almost, (text) => {
        const authority = parseAuthority(text, 80)
        parseHost(text)
        parsePort(text)
        if (authority === undefined) return true
        const printed = formatAuthority(authority)
        const again = parseAuthority(printed)
        return again !== undefined && formatAuthority(again) === printed
      }),
      limits,
    )
    t.equal(fc.defaultReportMessage(run), undefined)
  },
)

void t.test('canonical authorities read as themselves', async (t) => {
  const host = fc.oneof(
    fc.domain().filter((domain) => parseHostname(domain) !== undefined),
    fc.ipV4(),
    fc.ipV6().map((text) => `[${text}]`),
  )
  const run = fc.check(
    fc.property(host, fc.integer({ min: 1, max: 65_535 }), (host, port) => {
      const authority = parseAuthority(`${host}:${port}`)
      return authority !== undefined && authority.port === port
    }),
    limits,
  )
  t.equal(fc.defaultReportMessage(run), undefined)
})

void t.test('a name that is taken is one for every URL parser too, and the same one', async (t) => {
  const run = fc.check(
    fc.property(almost, (text) => {
      const name = parseHostname(text)
      if (name === undefined) return true
      if (parseHostname(name) !== name || parseHostname(`${name.toUpperCase()}.`) !== name)
        return false
      // A-labels that do not decode are names to DNS and none to a URL parser.
      if (/(?:^|\.)xn--/.test(name)) return true
      return URL.canParse(`http://${name}/`) && new URL(`http://${name}/`).hostname === name
    }),
    limits,
  )
  t.equal(fc.defaultReportMessage(run), undefined)
})

void t.test('a pattern that is taken is canonical', async (t) => {
  const run = fc.check(
    fc.property(fc.constantFrom('', '*.', '*'), almost, (head, text) => {
      const pattern = parseNamePattern(head + text)
      return pattern === undefined || parseNamePattern(pattern.toUpperCase()) === pattern
    }),
    limits,
  )
  t.equal(fc.defaultReportMessage(run), undefined)
})
