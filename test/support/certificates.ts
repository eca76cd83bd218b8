import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate authority made for one test file, and certificates from it, as PEM text and as files. */
export interface TestAuthority {
  readonly ca: string
  readonly caFile: string
  issue(...names: string[]): TestCertificate
  /** Removes all files. */
  remove(): void
}

export interface TestCertificate {
  readonly key: string
  readonly cert: string
  readonly keyFile: string
  readonly certificateFile: string
}

/** Makes an authority with the `openssl` binary; about 20 ms, and as much for each certificate. */
export function createAuthority(name = 'test authority'): TestAuthority {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-certificates-'))
  const file = (base: string): string => join(folder, base)
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl([
    'req',
    '-x509',
    ...newKey,
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-addext',
    'keyUsage=critical,keyCertSign,cRLSign',
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
  ])
  let issued = 0
  return {
    ca: readFileSync(file('ca.pem'), 'utf8'),
    caFile: file('ca.pem'),
    issue(...names) {
      const base = `leaf-${issued++}`
      const keyFile = file(`${base}.key`)
      const certificateFile = file(`${base}.pem`)
      const alternatives = names.map((one) => (isIP(one) === 0 ? `DNS:${one}` : `IP:${one}`))
      writeFileSync(file(`${base}.ext`), `subjectAltName=${alternatives.join(',')}\n`)
      openssl([
        'req',
        '-new',
        ...newKey,
        '-subj',
        `/CN=${names[0] ?? base}`,
        '-keyout',
        keyFile,
        '-out',
        file(`${base}.csr`),
      ])
      openssl([
        'x509',
        '-req',
        '-days',
        '2',
        '-in',
        file(`${base}.csr`),
        '-extfile',
        file(`${base}.ext`),
        '-CA',
        file('ca.pem'),
        '-CAkey',
        file('ca.key'),
        '-CAcreateserial',
        '-out',
        certificateFile,
      ])
      return {
        key: readFileSync(keyFile, 'utf8'),
        cert: readFileSync(certificateFile, 'utf8'),
        keyFile,
        certificateFile,
      }
    },
    remove() {
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function openssl(parameters: readonly string[]): void {
  execFileSync('openssl', parameters, { stdio: ['ignore', 'ignore', 'pipe'] })
}
