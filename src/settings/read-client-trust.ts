import { X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { readText } from '../documents/read-text.ts'
import type { Guid } from '../perimeter/guid.ts'
import { quote } from '../perimeter/quote.ts'
import type { Resource } from '../perimeter/resource.ts'
import { readCertificateParts } from '../wire/certificate-parts.ts'
import { hasDamage, pemBlocks } from '../wire/pem.ts'
import { isSignedBy, readRevocationList, type RevocationList } from '../wire/revocation-list.ts'
import { readAlternativeNames } from '../wire/subject-alternative-names.ts'
import { readReference } from './read-reference.ts'
import { readPerimeter, readTrustScope } from './read-trust-scope.ts'
import type { ClientCertificatesValue, InboundValue } from './schema.ts'
import type { CertificateAuthority, ClientCertificates, IdentitySettings } from './settings.ts'

/** Whom listeners believe about certificates, with the files that say so. */
export interface ClientTrust {
  /** By index of the listener. */
  readonly byListener: readonly (ClientCertificates | undefined)[]
  readonly speakers: IdentitySettings['speakers']
  /** Every file that was read. */
  readonly files: readonly string[]
}

interface Context {
  readonly directory: string
  readonly resources: readonly Resource[]
  readonly findings: Findings
  /** Milliseconds since the epoch. */
  readonly now: number
}

type Speakers = Map<
  string,
  { readonly perimeters: readonly Guid[]; readonly subscriptions: readonly Guid[] }
>

interface Collected {
  readonly speakers: Speakers
  readonly files: string[]
}

/**
 * Reads `tls.clientCertificates` of all listeners. What is missing, unreadable or not what it should be is an error: a list
 * of revocations that nobody reads would let in whom it names.
 */
export async function readClientTrust(
  listeners: readonly InboundValue[],
  context: Context,
): Promise<ClientTrust> {
  const collected: Collected = { speakers: new Map(), files: [] }
  const byListener: (ClientCertificates | undefined)[] = []
  for (const [index, { name, tls }] of listeners.entries()) {
    const value = tls?.clientCertificates
    const path: Path = ['inbound', index, 'tls', 'clientCertificates']
    byListener.push(
      value === undefined
        ? undefined
        : await readListener(value, { ...context, ...collected, path, listener: name }),
    )
  }
  return { byListener, ...collected }
}

type ListenerContext = Context & Collected & { readonly path: Path; readonly listener: string }

async function readListener(
  value: ClientCertificatesValue,
  context: ListenerContext,
): Promise<ClientCertificates> {
  const authorities: CertificateAuthority[] = []
  const seen = new Map<string, Path>()
  for (const [index, authority] of value.authorities.entries()) {
    const path = [...context.path, 'authorities', index]
    const read = await readAuthority(authority, { ...context, path })
    for (const pem of read.certificates) {
      if (seen.has(pem)) {
        context.findings.error(
          [...path, 'caFile'],
          'another authority of this listener has one of these certificates, too: whom it may speak for must be said once',
        )
      }
      seen.set(pem, path)
    }
    authorities.push(read)
  }
  const { mode, maxDepth } = value
  return { mode, maxDepth, authorities, mapping: readMapping(value, context) }
}

async function readAuthority(
  value: ClientCertificatesValue['authorities'][number],
  context: ListenerContext,
): Promise<CertificateAuthority> {
  const { path, directory, findings, speakers, files, listener } = context
  const caFile = resolve(directory, value.caFile)
  const caPath = [...path, 'caFile']
  files.push(caFile)
  const certificates = await readBlocks(caFile, { ...context, path: caPath, label: 'CERTIFICATE' })
  const read = certificates.flatMap((pem) => readCa(pem, { ...context, path: caPath }) ?? [])
  const speaker = `${caFile} of the inbound listener ${listener}, ${path.at(-1) ?? ''}`
  speakers.set(speaker, readTrustScope(value, { path, findings }))
  if (value.crlFile === undefined) return { speaker, certificates, lists: undefined }
  const crlFile = resolve(directory, value.crlFile)
  const crlPath = [...path, 'crlFile']
  files.push(crlFile)
  const lists = await readBlocks(crlFile, { ...context, path: crlPath, label: 'X509 CRL' })
  const known = lists.flatMap((pem) => readList(pem, { ...context, path: crlPath }) ?? [])
  if (known.length > 0 && read.length > 0 && !known.some((list) => read.some(isAuthorOf(list)))) {
    findings.error(
      crlPath,
      'none of the lists of revocations was signed by a certificate of `caFile`',
    )
  }
  return { speaker, certificates, lists }
}

async function readBlocks(
  file: string,
  { path, findings, label }: Context & { readonly path: Path; readonly label: string },
): Promise<readonly string[]> {
  const read = await readText(file)
  if (read.kind === 'unreadable') {
    findings.error(path, read.message)
    return []
  }
  // THREAT: with a list left out in silence, whom it revokes is let in.
  if (hasDamage(read.text)) {
    findings.error(path, 'the file holds a block that is damaged, or is not whole yet')
    return []
  }
  const blocks = pemBlocks(read.text, label)
  if (blocks.length === 0) findings.error(path, `the file holds no ${quote(label)} in PEM form`)
  return blocks.map(({ pem }) => pem)
}

function readCa(
  pem: string,
  { path, findings, now }: Context & { readonly path: Path },
): X509Certificate | undefined {
  const certificate = parse(pem)
  if (certificate === undefined || readCertificateParts(certificate.raw) === undefined) {
    findings.error(path, 'the file holds a certificate that cannot be read')
    return undefined
  }
  if (!certificate.ca) {
    findings.error(
      path,
      `the certificate of ${quote(certificate.subject)} is not that of an authority`,
    )
  }
  if (certificate.validToDate.getTime() < now) {
    findings.warning(path, `the certificate expired on ${quote(certificate.validTo)}`)
  }
  return certificate
}

function parse(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

function readList(
  pem: string,
  { path, findings, now }: Context & { readonly path: Path },
): RevocationList | undefined {
  const [block] = pemBlocks(pem, 'X509 CRL')
  const list = block === undefined ? undefined : readRevocationList(block.der)
  if (typeof list === 'string') findings.error(path, `the file holds ${list}`)
  if (list === undefined || typeof list === 'string') return undefined
  if (list.nextUpdate <= now) {
    const ended = quote(new Date(list.nextUpdate).toISOString())
    findings.warning(
      path,
      `the list of revocations expired on ${ended}: it refuses everybody whom it is about`,
    )
  }
  return list
}

function isAuthorOf(list: RevocationList): (certificate: X509Certificate) => boolean {
  return ({ publicKey }) => isSignedBy(list, publicKey)
}

function readMapping(
  { mapping }: ClientCertificatesValue,
  context: ListenerContext,
): ClientCertificates['mapping'] {
  const { findings } = context
  const seen = new Set<string>()
  return mapping.flatMap(({ name: text, resource: reference, perimeter: of }, index) => {
    const path = [...context.path, 'mapping', index]
    const [name, ...more] = readAlternativeNames(text) ?? []
    const isName = name !== undefined && name.kind !== 'other' && more.length === 0
    if (!isName || (name.kind === 'dns' && name.value.includes('*'))) {
      findings.error(
        [...path, 'name'],
        `${quote(text)} is no name to compare with; write \`DNS:name\`, \`URI:uri\` or \`email:address\`, without wildcards`,
      )
      return []
    }
    const key = `${name.kind}:${name.value}`
    if (seen.has(key)) findings.error([...path, 'name'], `${quote(text)} is mapped twice`)
    seen.add(key)
    const resource = readReference(reference, { ...context, path: [...path, 'resource'] })
    const perimeter =
      of === undefined ? undefined : readPerimeter(of, { ...context, path: [...path, 'perimeter'] })
    return resource === undefined ? [] : [{ name, resource, perimeter }]
  })
}
