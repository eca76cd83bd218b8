import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readText } from '../documents/read-text.ts'
import { PerimeterError } from '../errors.ts'
import type { Resource } from '../perimeter/resource.ts'
import type { BackendAuthorities } from '../settings/in-force.ts'
import type { Settings } from '../settings/settings.ts'
import { MiB } from '../units.ts'

/**
 * Reads what the certificates of back ends and of the upstream proxy are verified against, so that no request ever waits for a disk. Throws
 * `PerimeterError` RF_SETTINGS with one line for each file that cannot be read or holds no certificate: `check` has read
 * it a moment ago, but it may have changed since.
 */
export async function readBackendAuthorities(settings: Settings): Promise<BackendAuthorities> {
  const authorities = new Map<string, string>()
  const problems = new Map<string, string>()
  const ofProxy = {
    file: settings.egress.upstreamProxy?.caFile,
    setting: '`egress.upstreamProxy.caFile`',
    judge: judgePem,
  }
  for (const { file, setting, judge } of [...settings.resources.flatMap(filesOf), ofProxy]) {
    if (file === undefined || authorities.has(file) || problems.has(file)) continue
    const read = await readText(file, MiB)
    const problem = read.kind === 'text' ? judge(read.text) : read.message
    if (problem !== undefined) {
      problems.set(file, `${setting} \`${file}\`: ${problem}`)
    } else if (read.kind === 'text') authorities.set(file, read.text)
  }
  if (problems.size > 0) throw new PerimeterError('RF_SETTINGS', [...problems.values()].join('\n'))
  return authorities
}

function filesOf({ id, backend, endpointTls, memberCertificate }: Resource) {
  return [
    { key: 'backendCaFile', file: backend?.caFile, judge: judgePem },
    { key: 'endpointTls.caFile', file: endpointTls?.caFile, judge: judgePem },
    { key: 'certificateFile', file: memberCertificate?.certificateFile, judge: judgePem },
    { key: 'keyFile', file: memberCertificate?.keyFile, judge: judgeKey },
  ].map(({ key, ...rest }) => ({ ...rest, setting: `resource \`${id.name}\`: \`${key}\`` }))
}

function judgeKey(pem: string): string | undefined {
  try {
    createPrivateKey(pem)
    return undefined
  } catch {
    return 'the file holds no private key in PEM form'
  }
}

function judgePem(pem: string): string | undefined {
  try {
    new X509Certificate(pem)
    return undefined
  } catch {
    // OpenSSL's own words name its source files.
    return 'the file holds no certificate in PEM form'
  }
}
