import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readCertificateParts } from '../../src/wire/certificate-parts.ts'

function certificate(t: { teardown(end: () => void): void }, ...extensions: string[]): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-parts-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const more = extensions.flatMap((extension) => ['-addext', extension])
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const how = ['req', '-x509', ...key, '-subj', '/O=a/CN=b', '-set_serial', '0x00ff', ...more]
  execFileSync('openssl', [...how, '-keyout', 'key.pem', '-out', 'own.pem'], {
    cwd: folder,
    stdio: 'pipe',
  })
  return new X509Certificate(readFileSync(join(folder, 'own.pem'))).raw
}

void t.test('readCertificateParts reads what limits an authority', async (t) => {
  const constraints = 'nameConstraints=critical,permitted;DNS:a.test'
  const cases = [
    { extensions: [], want: { pathLength: undefined, hasNameConstraints: false } },
    {
      extensions: ['basicConstraints=critical,CA:TRUE,pathlen:0'],
      want: { pathLength: 0, hasNameConstraints: false },
    },
    {
      extensions: ['basicConstraints=CA:TRUE,pathlen:7', constraints],
      want: { pathLength: 7, hasNameConstraints: true },
    },
  ]
  for (const { extensions, want } of cases) {
    const der = certificate(t, ...extensions)
    t.match(readCertificateParts(der), { ...want, serial: 'ff' }, extensions.join())
    const subject = readCertificateParts(der)?.subject.toString('latin1') ?? ''
    t.match(subject, /a.*b/s)
    for (let length = 0; length < der.length; length += 7) {
      t.equal(readCertificateParts(der.subarray(0, length)), undefined, `${length} bytes`)
    }
    t.equal(readCertificateParts(Buffer.concat([der, Buffer.from([0])])), undefined)
  }
})

void t.test(
  'readCertificateParts never throws and never reads a changed length as another',
  async (t) => {
    const der = certificate(t, 'basicConstraints=critical,CA:TRUE,pathlen:0')
    for (let at = 0; at < der.length; at++) {
      const changed = Buffer.from(der)
      changed[at] = 0xff
      const parts = readCertificateParts(changed)
      if (parts !== undefined) t.ok(parts.pathLength === undefined || parts.pathLength < 0x80)
    }
  },
)

void t.test('readCertificateParts refuses two extensions of a kind', async (t) => {
  const der = certificate(t, 'basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=keyCertSign')
  // 2.5.29.15 becomes a second 2.5.29.19.
  const at = der.indexOf(Buffer.from('0603551d0f', 'hex'))
  t.not(at, -1)
  const changed = Buffer.from(der)
  changed[at + 4] = 0x13
  t.equal(readCertificateParts(changed), undefined)
})
