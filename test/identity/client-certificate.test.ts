import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { type Authority, createAuthority } from '../../src/certificates/authority.ts'
import { readCertified } from '../../src/identity/certificate-path.ts'
import { hasName } from '../../src/identity/certificate-names.ts'
import {
  type ClientTrust,
  readShown,
  showCertificate,
} from '../../src/identity/client-certificate.ts'
import { memberName, wide } from '../support/members.ts'

const now = Date.now()
const root = await createAuthority('root', wide)
const below = await root.issueAuthority('below')
const leaf = await below.issue({ commonName: 'stock', alternativeNames: [memberName('stock')] })
const der = (pem: string): Buffer => new X509Certificate(pem).raw
const chain = [der(leaf.certificate), der(below.certificate)]

function trustIn(...authorities: readonly Authority[]): ClientTrust {
  return {
    maxDepth: 3,
    mapping: [],
    authorities: authorities.map(({ certificate }, index) => {
      const read = readCertified(der(certificate))
      return {
        speaker: `ca ${index}`,
        certificates: read === undefined ? [] : [read],
        lists: undefined,
      }
    }),
  }
}

void t.test(
  'readShown: what a handshake has shown is a proof of the authority it was found under',
  async (t) => {
    const trust = trustIn(root)
    const shown = showCertificate(chain, { fault: undefined, trust, now })
    t.not(shown, undefined)
    if (shown === undefined) return
    t.match(readShown(shown, trust, { now }), {
      speaker: 'ca 0',
      statement: { resource: { name: 'stock' } },
    })
    t.match(readShown(shown, trustIn(root), { now }), { speaker: 'ca 0' }, 'and of the same again')
    const other = await createAuthority('other', wide)
    t.match(readShown(shown, trustIn(other), { now }), /unknown authority/)
    t.match(
      readShown(shown, trustIn(below), { now }),
      /another authority/,
      'OpenSSL never saw that one',
    )
    t.match(readShown(shown, trustIn(), { now }), /unknown authority/)
  },
)

void t.test('readShown: what OpenSSL has found wrong stays wrong', async (t) => {
  const trust = trustIn(root)
  const shown = showCertificate(chain, { fault: 'CERT_REVOKED', trust, now })
  t.match(shown && readShown(shown, trustIn(root), { now }), /does not verify: CERT_REVOKED/)
})

void t.test('showCertificate: nothing is nothing, and what cannot be read is nobody', async (t) => {
  const trust = trustIn(root)
  t.equal(showCertificate([], { fault: undefined, trust, now }), undefined)
  const shown = showCertificate([Buffer.from('no'), ...chain], { fault: undefined, trust, now })
  t.match(shown && readShown(shown, trust, { now }), /UNREADABLE/)
  const more = showCertificate([...chain, Buffer.from('no')], { fault: undefined, trust, now })
  t.match(more && readShown(more, trust, { now }), { speaker: 'ca 0' })
})

void t.test('hasName: one of the names, whole, by its kind', async (t) => {
  const names = 'URI:spiffe://a/b, DNS:A.test'
  const cases = [
    { wanted: 'URI:spiffe://a/b', want: true },
    { wanted: 'DNS:a.test', want: true },
    { wanted: 'URI:spiffe://a/B', want: false },
    { wanted: 'URI:spiffe://a/', want: false },
    { wanted: 'DNS:spiffe://a/b', want: false },
    { wanted: 'URI:spiffe://a/b, DNS:a.test', want: false },
    { wanted: 'spiffe://a/b', want: false },
    { wanted: '', want: false },
  ]
  for (const { wanted, want } of cases) t.equal(hasName(names, wanted), want, wanted)
  t.equal(hasName(undefined, 'DNS:a.test'), false)
  t.equal(
    hasName('DNS:a.test, DNS:"b\\u0000"', 'DNS:a.test'),
    false,
    'beside one that can be misread',
  )
  t.equal(hasName('IP Address:192.0.2.1', 'IP Address:192.0.2.1'), false)
})
