import { execFileSync } from 'node:child_process'
import { createPublicKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createAuthority } from '../../src/certificates/authority.ts'
import { readCertificateParts } from '../../src/wire/certificate-parts.ts'
import { pemBlocks } from '../../src/wire/pem.ts'
import {
  isSignedBy,
  readRevocationList,
  type RevocationList,
} from '../../src/wire/revocation-list.ts'

const from = new Date('2026-11-24T12:00:00Z')
const until = new Date('2026-12-24T12:00:00Z')
const authority = await createAuthority('lists', { from, until })
const ca = new X509Certificate(authority.certificate)

function derOf(pem: string): Buffer {
  const [block] = pemBlocks(pem, 'X509 CRL')
  if (block === undefined) throw new Error('no list')
  return block.der
}

function read(der: Buffer): RevocationList {
  const list = readRevocationList(der)
  if (typeof list === 'string') throw new Error(list)
  return list
}

void t.test('readRevocationList reads whom it names, from when and until when', async (t) => {
  const issued = await authority.issue({ commonName: 'a', alternativeNames: [] })
  const list = read(derOf(await authority.revoke([issued.serialNumber, '05'])))
  t.equal(list.thisUpdate, from.getTime())
  t.equal(list.nextUpdate, until.getTime())
  t.strictSame(list.issuer, readCertificateParts(ca.raw)?.subject)
  const serial = readCertificateParts(new X509Certificate(issued.certificate).raw)?.serial
  t.strictSame([...list.revoked], [serial, '05'])
  t.equal(isSignedBy(list, ca.publicKey), true)
  t.equal(read(derOf(await authority.revoke([]))).revoked.size, 0)
})

void t.test('isSignedBy believes nobody but whoever signed all of it', async (t) => {
  const list = read(derOf(await authority.revoke(['01'])))
  const other = await createAuthority('lists', { from, until })
  t.equal(isSignedBy(list, new X509Certificate(other.certificate).publicKey), false)
  const signed = Buffer.from(list.signed)
  signed[signed.length - 1] = (signed.at(-1) ?? 0) ^ 1
  t.equal(isSignedBy({ ...list, signed }, ca.publicKey), false)
  t.equal(isSignedBy({ ...list, digest: 'sha512' }, ca.publicKey), false)
  t.equal(isSignedBy({ ...list, digest: 'no such digest' }, ca.publicKey), false, 'and no fault')
})

void t.test('readRevocationList refuses a list with any byte too few or too many', async (t) => {
  const der = derOf(await authority.revoke(['01', '02']))
  for (let length = 0; length < der.length; length++) {
    t.type(readRevocationList(der.subarray(0, length)), 'string', `${length} bytes`)
  }
  t.type(readRevocationList(Buffer.concat([der, Buffer.from([0])])), 'string')
})

void t.test('readRevocationList never takes a changed list for one that was signed', async (t) => {
  const der = derOf(await authority.revoke(['01', '02']))
  const original = read(der)
  for (let at = 0; at < der.length; at++) {
    for (const bit of [1, 0x20, 0x80]) {
      const changed = Buffer.from(der)
      changed[at] = (changed[at] ?? 0) ^ bit
      const list = readRevocationList(changed)
      if (typeof list === 'string' || !isSignedBy(list, ca.publicKey)) continue
      t.strictSame(list, original, `byte ${at}`)
    }
  }
})

/** One in the words of OpenSSL, which knows every kind. */
function byOpenssl(
  t: { teardown(end: () => void): void },
  options: { config?: string; rsa?: boolean; days?: string; entry?: string },
): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-lists-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const run = (...words: readonly string[]): void =>
    void execFileSync('openssl', words, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  const key = options.rsa === true ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384']
  run(
    'req',
    '-x509',
    '-newkey',
    ...key,
    '-nodes',
    '-subj',
    '/CN=o',
    '-keyout',
    'key.pem',
    '-out',
    'ca.pem',
  )
  writeFileSync(join(folder, 'index.txt'), options.entry ?? '')
  writeFileSync(join(folder, 'number'), '01\n')
  writeFileSync(
    join(folder, 'ca.cnf'),
    `[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\ncrlnumber = number\ndefault_md = sha384\ncrl_extensions = more\n[more]\n${options.config ?? 'authorityKeyIdentifier=keyid'}\n`,
  )
  run(
    'ca',
    '-gencrl',
    '-config',
    'ca.cnf',
    '-keyfile',
    'key.pem',
    '-cert',
    'ca.pem',
    '-crldays',
    options.days ?? '7',
    '-out',
    'list.pem',
  )
  const list = readFileSync(join(folder, 'list.pem'), 'utf8')
  known.set(list, createPublicKey(readFileSync(join(folder, 'ca.pem'))))
  last = list
  return derOf(list)
}

const known = new Map<string, ReturnType<typeof createPublicKey>>()
let last = ''

void t.test('readRevocationList reads those of OpenSSL', async (t) => {
  const entry = 'R\t301231235959Z\t261101000000Z,keyCompromise\t00FF\tunknown\t/CN=a\n'
  for (const rsa of [true, false]) {
    const list = read(byOpenssl(t, { rsa, entry }))
    const key = known.get(last)
    t.ok(key !== undefined && isSignedBy(list, key))
    t.strictSame([...list.revoked], ['ff'], 'without zeros in front')
  }
})

void t.test('readRevocationList refuses a list that holds for a part only', async (t) => {
  const config = 'issuingDistributionPoint=critical,@point\n[point]\nonlyuser=TRUE'
  t.match(readRevocationList(byOpenssl(t, { config })), /for a part only/)
})
