import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'

/** A key and a self-signed certificate, which is its own authority: what trusts it trusts these names only. */
export interface Certificate {
  readonly certificateFile: string
  readonly keyFile: string
}

const run = promisify(execFile)

/**
 * Makes a certificate for the names and 127.0.0.1, valid for two days, in a folder that exists.
 *
 * @throws Error with one line for a person if openssl is not installed or fails.
 */
export async function makeCertificate(
  folder: string,
  names: readonly string[],
): Promise<Certificate> {
  const certificateFile = path.join(folder, 'certificate.pem')
  const keyFile = path.join(folder, 'key.pem')
  const alternatives = [...names.map((name) => `DNS:${name}`), 'IP:127.0.0.1'].join(',')
  try {
    const args = 'req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1'
    await run('openssl', [
      ...args.split(' '),
      '-subj',
      '/CN=Ringfence demo',
      '-addext',
      `subjectAltName=${alternatives}`,
      '-keyout',
      keyFile,
      '-out',
      certificateFile,
    ])
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    const reason = missing ? 'it is not installed' : String(error)
    throw new Error(`a certificate for the vault needs openssl: ${reason}`, { cause: error })
  }
  return { certificateFile, keyFile }
}
