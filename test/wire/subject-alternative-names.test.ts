import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { type AlternativeName as Asked, createAuthority } from '../../src/certificates/authority.ts'
import { readAlternativeNames } from '../../src/wire/subject-alternative-names.ts'

const until = new Date(Date.now() + 60_000)
const authority = await createAuthority('names', { from: new Date(), until })

/** As Node writes them. */
async function written(...alternativeNames: readonly Asked[]): Promise<string> {
  const { certificate } = await authority.issue({ commonName: 'a', alternativeNames })
  return new X509Certificate(certificate).subjectAltName ?? ''
}

void t.test('readAlternativeNames reads what Node writes, value by value', async (t) => {
  const text = await written(
    { type: 'dns', value: 'A.Example' },
    { type: 'url', value: 'spiffe://a/B' },
    { type: 'ip', value: '192.0.2.1' },
  )
  t.strictSame(readAlternativeNames(text), [
    { kind: 'dns', value: 'a.example' },
    { kind: 'uri', value: 'spiffe://a/B' },
    { kind: 'other', value: '192.0.2.1' },
  ])
  t.strictSame(readAlternativeNames('email:A@b'), [{ kind: 'email', value: 'A@b' }])
  t.strictSame(readAlternativeNames(''), [])
})

void t.test('readAlternativeNames reads nothing where one of them can be misread', async (t) => {
  const cases: readonly { readonly note: string; readonly value: string }[] = [
    { note: 'a comma and what looks like another name', value: 'a.test, DNS:b.test' },
    { note: 'a comma', value: 'a.test,b.test' },
    { note: 'a quote', value: 'a"b' },
    { note: 'a single quote', value: "a'b" },
    { note: 'a backslash', value: String.raw`a\u002cb` },
    { note: 'NUL', value: 'a.test\0.b.test' },
    { note: 'a line feed', value: 'a\nb' },
    { note: 'DEL', value: 'a\x7Fb' },
    { note: 'a letter beyond ASCII', value: 'é.test' },
  ]
  for (const type of ['dns', 'url'] as const) {
    for (const { note, value } of cases) {
      const text = await written({ type: 'dns', value: 'good.test' }, { type, value })
      t.equal(readAlternativeNames(text), undefined, `${type}: ${note}: ${text}`)
    }
  }
  for (const text of ['a.test', ':a', 'DNS:', 'DNS:a, ', 'DNS:a\0', 'URI:é']) {
    t.equal(readAlternativeNames(text), undefined, text)
  }
})
