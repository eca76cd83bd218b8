import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { Findings } from '../documents/findings.ts'
import { type Placed, valuesOf } from '../documents/placed.ts'
import type { Path } from '../documents/problem.ts'
import { readText } from '../documents/read-text.ts'
import { quote } from '../perimeter/quote.ts'
import type { Resource } from '../perimeter/resource.ts'
import { MiB } from '../units.ts'
import { parseProxyCredentials } from './proxy-credentials.ts'
import type { InboundListener, ListenerTls, UpstreamProxy } from './settings.ts'

interface Context {
  readonly path: Path
  readonly findings: Findings
  /** Milliseconds since the epoch. */
  readonly now: number
}

/**
 * Reads the certificates and keys that settings name, and says which are missing, unreadable, or do not fit each other.
 * Resolves with the files.
 */
export async function checkKeyFiles(
  named: {
    readonly inbound: readonly Placed<InboundListener>[]
    readonly resources: readonly Placed<Resource>[]
    readonly upstreamProxy: UpstreamProxy | undefined
  },
  context: { readonly findings: Findings; readonly now: number },
): Promise<readonly string[]> {
  const files: string[] = []
  for (const { value, path } of named.inbound) {
    if (value.tls === undefined) continue
    files.push(value.tls.certificateFile, value.tls.keyFile)
    await checkPair(value.tls, {
      ...context,
      path: [...path, 'tls'],
      hosts: hostsServed(value, valuesOf(named.resources)),
    })
  }
  for (const { value, path } of named.resources) {
    const caFile = value.backend?.caFile
    if (caFile !== undefined) {
      files.push(caFile)
      await checkAuthorities(caFile, { ...context, path: [...path, 'backendCaFile'] })
    }
    if (value.endpointTls !== undefined) {
      files.push(value.endpointTls.caFile)
      const caPath = [...path, 'endpointTls', 'caFile']
      await checkAuthorities(value.endpointTls.caFile, { ...context, path: caPath })
    }
    if (value.memberCertificate !== undefined) {
      files.push(value.memberCertificate.certificateFile, value.memberCertificate.keyFile)
      const pairPath = [...path, 'memberCertificate']
      await checkPair(value.memberCertificate, { ...context, path: pairPath, hosts: [] })
    }
  }
  files.push(...(await checkUpstreamProxy(named.upstreamProxy, context)))
  return files
}

async function checkUpstreamProxy(
  proxy: UpstreamProxy | undefined,
  context: Omit<Context, 'path'>,
): Promise<readonly string[]> {
  const files: string[] = []
  const path = ['egress', 'upstreamProxy']
  if (proxy?.caFile !== undefined) {
    files.push(proxy.caFile)
    await checkAuthorities(proxy.caFile, { ...context, path: [...path, 'caFile'] })
  }
  if (proxy?.credentialsFile !== undefined) {
    files.push(proxy.credentialsFile)
    const at = { ...context, path: [...path, 'credentialsFile'] }
    const text = await readPem(proxy.credentialsFile, at)
    // Its content is a secret, and is not quoted.
    if (text !== undefined && parseProxyCredentials(text) === undefined) {
      context.findings.error(at.path, 'the file is not one line `user:password`')
    }
  }
  return files
}

/** Hosts that clients of the listener ask for. */
function hostsServed(listener: InboundListener, resources: readonly Resource[]): readonly string[] {
  // Other instances know it by whatever name they are told.
  if (listener.protocol === 'member') return []
  return resources
    .filter(({ id, backend }) =>
      listener.resource === undefined ? backend !== undefined : id.key === listener.resource.key,
    )
    .flatMap(({ hosts }) => hosts)
}

async function checkPair(
  tls: Pick<ListenerTls, 'certificateFile' | 'keyFile'>,
  context: Context & { readonly hosts: readonly string[] },
): Promise<void> {
  const { findings } = context
  const certificatePath = [...context.path, 'certificateFile']
  const keyPath = [...context.path, 'keyFile']
  const certificateText = await readPem(tls.certificateFile, { ...context, path: certificatePath })
  const keyText = await readPem(tls.keyFile, { ...context, path: keyPath })
  const certificate =
    certificateText === undefined
      ? undefined
      : readCertificate(certificateText, { ...context, path: certificatePath })
  const key = keyText === undefined ? undefined : readKey(keyText, { ...context, path: keyPath })
  if (certificate === undefined || key === undefined) return
  if (!certificate.checkPrivateKey(key)) {
    findings.error(keyPath, 'the private key does not belong to the certificate')
    return
  }
  if (attempt(() => createSecureContext({ cert: certificateText, key: keyText })) === undefined) {
    findings.error(certificatePath, 'the certificate and key cannot be used for TLS')
  }
  const uncovered = context.hosts.find((host) => certificate.checkHost(host) === undefined)
  if (uncovered !== undefined) {
    findings.warning(
      certificatePath,
      `the certificate is not for ${quote(uncovered)}, one of the hosts that this listener serves`,
    )
  }
}

async function checkAuthorities(file: string, context: Context): Promise<void> {
  const pem = await readPem(file, context)
  if (pem === undefined) return
  readCertificate(pem, context)
}

async function readPem(file: string, { path, findings }: Context): Promise<string | undefined> {
  const read = await readText(file, MiB)
  if (read.kind === 'text') return read.text
  findings.error(path, read.message)
  return undefined
}

function readCertificate(pem: string, context: Context): X509Certificate | undefined {
  const { path, findings, now } = context
  const certificate = attempt(() => new X509Certificate(pem))
  if (certificate === undefined) {
    findings.error(path, 'the file holds no certificate in PEM form')
    return undefined
  }
  if (certificate.validToDate.getTime() < now) {
    findings.warning(path, `the certificate expired on ${quote(certificate.validTo)}`)
  } else if (certificate.validFromDate.getTime() > now) {
    findings.warning(path, `the certificate is not valid before ${quote(certificate.validFrom)}`)
  }
  return certificate
}

function readKey(pem: string, { path, findings }: Context) {
  const key = attempt(() => createPrivateKey(pem))
  if (key === undefined) {
    findings.error(path, 'the file holds no private key in PEM form without a passphrase')
  }
  return key
}

function attempt<T>(create: () => T): T | undefined {
  try {
    return create()
  } catch {
    // OpenSSL's own words name its source files; the caller's sentence says what to do.
    return undefined
  }
}
