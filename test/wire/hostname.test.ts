import t from 'tap'
import { parseHostname, parseNamePattern } from '../../src/wire/hostname.ts'

void t.test('parseHostname makes one canonical form', async (t) => {
  for (const [text, want] of [
    ['example.com', 'example.com'],
    ['EXAMPLE.com.', 'example.com'],
    ['localhost', 'localhost'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['_dmarc.example.com', '_dmarc.example.com'],
    ['a_b.example', 'a_b.example'],
    ['1password.com', '1password.com'],
    ['3.example', '3.example'],
    ['a--b.example', 'a--b.example'],
    [`${'a'.repeat(63)}.example`, `${'a'.repeat(63)}.example`],
  ] as const) {
    t.equal(parseHostname(text), want, text)
  }
})

void t.test('parseHostname refuses what two readers may read as two names', async (t) => {
  for (const [note, text] of [
    ['empty', ''],
    ['the root', '.'],
    ['two trailing dots', 'example.com..'],
    ['empty label', 'a..b'],
    ['leading dot', '.example.com'],
    ['leading hyphen', '-a.example'],
    ['trailing hyphen', 'a-.example'],
    ['long label', `${'a'.repeat(64)}.example`],
    ['long name', `${'a.'.repeat(126)}ab`],
    ['NUL', 'evil.example\0.allowed.example'],
    ['space', 'a b.example'],
    ['line feed at the end', 'example.com\n'],
    ['brackets (CVE-2022-29188)', '[example.com]'],
    ['zone id', 'fe80::1%x.github.com'],
    ['percent-encoded', 'a%2eexample'],
    ['userinfo', 'allowed@evil.example'],
    ['port', 'example.com:443'],
    ['path', 'example.com/x'],
    ['backslash', 'example.com\\x'],
    ['non-ASCII', 'b\u00fccher.example'],
    ['full-width dot', 'example\uff0ecom'],
    ['ideographic dot', 'example\u3002com'],
    ['circled digit', '\u2460.example'],
    ['KELVIN SIGN, which lower-cases to k', '\u212a.example'],
    ['LONG S', 'example.co\u017f'],
    ['IPv4', '192.0.2.1'],
    ['IPv4 with a trailing dot', '192.0.2.1.'],
    ['decimal IPv4', '2130706433'],
    ['octal IPv4', '0177.1'],
    ['hexadecimal IPv4', '0x7f.1'],
    ['ends in a hexadecimal number', 'example.0xA'],
    ['ends in 0x', 'example.0x'],
    ['ends in a number', 'example.1'],
    ['wildcard', '*.example.com'],
  ] as const) {
    t.equal(parseHostname(text), undefined, note)
  }
  t.equal(parseHostname(`${'a.'.repeat(126)}a`)?.length, 253, 'the longest name')
  t.equal(parseHostname(`${'a.'.repeat(126)}a.`)?.length, 253, 'and its absolute form')
})

void t.test('parseNamePattern takes a name or one leading wildcard over two labels', async (t) => {
  for (const [text, want] of [
    ['API.Stripe.com', 'api.stripe.com'],
    ['*.Vault.example', '*.vault.example'],
    ['localhost', 'localhost'],
    ['*.com', undefined],
    ['*', undefined],
    ['*.', undefined],
    ['*.*.example.com', undefined],
    ['a.*.example.com', undefined],
    ['*a.example.com', undefined],
    ['example.com.', undefined],
    ['*.example.com.', undefined],
    ['192.0.2.1', undefined],
    ['*.2.1', undefined],
    ['', undefined],
  ] as const) {
    t.equal(parseNamePattern(text), want, text)
  }
})
