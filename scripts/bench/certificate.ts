import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** One self-signed certificate for every candidate. */
export interface Certificate {
  readonly certificateFile: string
  readonly keyFile: string
  /** Both in one, for those that want it so. */
  readonly bundleFile: string
}

/** Makes it with the `openssl` binary in a folder that exists. */
export function makeCertificate(folder: string, name: string): Certificate {
  const certificateFile = path.join(folder, 'certificate.pem')
  const keyFile = path.join(folder, 'key.pem')
  const bundleFile = path.join(folder, 'bundle.pem')
  const kind = 'req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1'
  const files = ['-keyout', keyFile, '-out', certificateFile]
  execFileSync('openssl', [...kind.split(' '), '-subj', `/CN=${name}`, ...files], { stdio: 'pipe' })
  writeFileSync(bundleFile, readFileSync(certificateFile) + '\n' + readFileSync(keyFile))
  return { certificateFile, keyFile, bundleFile }
}
