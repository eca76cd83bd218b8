import type { webcrypto } from 'node:crypto'
import { loadOnce } from '../load-once.ts'
import { addReflectMetadata } from './reflect-metadata.ts'

/** A certificate authority that is made on the spot: its key is in memory and goes wherever the caller writes it. */
export interface Authority {
  /** PEM. */
  readonly certificate: string
  /** PKCS #8 in PEM. */
  readonly key: string
  issue(request: CertificateRequest): Promise<Issued>
  /** One below it, which signs under its own name. */
  issueAuthority(name: string): Promise<Authority>
  /** A list in PEM of what is revoked; empty is a list, too. */
  revoke(serialNumbers: readonly string[], validity?: Partial<Validity>): Promise<string>
}

export interface CertificateRequest {
  /** For whoever looks at it; nothing decides by it. */
  readonly commonName: string
  readonly alternativeNames: readonly AlternativeName[]
  /** Default: that of the authority. */
  readonly validity?: Partial<Validity>
  /** Default: for both ends of TLS. */
  readonly usage?: 'both' | 'server' | 'client'
}

export interface AlternativeName {
  readonly type: 'dns' | 'ip' | 'url'
  readonly value: string
}

export interface Validity {
  readonly from: Date
  readonly until: Date
}

export interface Issued {
  /** PEM, without what signed it. */
  readonly certificate: string
  readonly key: string
  /** In hexadecimal. */
  readonly serialNumber: string
}

/** It reflects on its classes as soon as it is loaded. */
const loadLibrary = loadOnce(async () => {
  addReflectMetadata()
  return import('@peculiar/x509')
})

type Library = Awaited<ReturnType<typeof loadLibrary>>
type Extensions = InstanceType<Library['Extension']>[]

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const

interface Signer {
  readonly library: Library
  readonly keys: webcrypto.CryptoKeyPair
  readonly name: string
  readonly validity: Validity
}

/** Makes an authority with a key of its own (ECDSA P-256). */
export async function createAuthority(name: string, validity: Validity): Promise<Authority> {
  const library = await loadLibrary()
  const keys = await generateKeys()
  const certificate = await library.X509CertificateGenerator.createSelfSigned({
    name: distinguishedName(name),
    keys,
    signingAlgorithm,
    notBefore: validity.from,
    notAfter: validity.until,
    extensions: await authorityExtensions(library, keys.publicKey),
  })
  return authorityOf({ library, keys, name, validity }, pem('CERTIFICATE', certificate.rawData))
}

async function authorityOf(signer: Signer, certificate: string): Promise<Authority> {
  const { library, validity } = signer
  return {
    certificate,
    key: await exportKey(signer.keys.privateKey),
    issue: (request) => issue(signer, request),
    async issueAuthority(name) {
      const keys = await generateKeys()
      const extensions = await authorityExtensions(library, keys.publicKey)
      const below = await sign(signer, { name, keys, validity, extensions })
      return authorityOf({ library, keys, name, validity }, pem('CERTIFICATE', below.rawData))
    },
    async revoke(serialNumbers, { from = validity.from, until = validity.until } = {}) {
      const list = await library.X509CrlGenerator.create({
        issuer: distinguishedName(signer.name),
        thisUpdate: from,
        nextUpdate: until,
        signingAlgorithm,
        signingKey: signer.keys.privateKey,
        entries: serialNumbers.map((serialNumber) => ({ serialNumber, revocationDate: from })),
      })
      return pem('X509 CRL', list.rawData)
    },
  }
}

async function issue(signer: Signer, request: CertificateRequest): Promise<Issued> {
  const { library } = signer
  const { commonName, alternativeNames, usage = 'both' } = request
  const keys = await generateKeys()
  const { serverAuth, clientAuth } = library.ExtendedKeyUsage
  const usages = { both: [serverAuth, clientAuth], server: [serverAuth], client: [clientAuth] }
  const certificate = await sign(signer, {
    name: commonName,
    keys,
    validity: { ...signer.validity, ...request.validity },
    extensions: [
      new library.BasicConstraintsExtension(false, undefined, true),
      new library.KeyUsagesExtension(library.KeyUsageFlags.digitalSignature, true),
      new library.ExtendedKeyUsageExtension(usages[usage]),
      new library.SubjectAlternativeNameExtension([...alternativeNames]),
      await library.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return {
    certificate: pem('CERTIFICATE', certificate.rawData),
    key: await exportKey(keys.privateKey),
    serialNumber: certificate.serialNumber,
  }
}

async function sign(
  { library, keys: { publicKey, privateKey }, name }: Signer,
  subject: {
    readonly name: string
    readonly keys: webcrypto.CryptoKeyPair
    readonly validity: Validity
    readonly extensions: Extensions
  },
) {
  return library.X509CertificateGenerator.create({
    subject: distinguishedName(subject.name),
    issuer: distinguishedName(name),
    publicKey: subject.keys.publicKey,
    signingKey: privateKey,
    signingAlgorithm,
    notBefore: subject.validity.from,
    notAfter: subject.validity.until,
    extensions: [
      ...subject.extensions,
      await library.AuthorityKeyIdentifierExtension.create(publicKey),
    ],
  })
}

async function authorityExtensions(
  library: Library,
  publicKey: webcrypto.CryptoKey,
): Promise<Extensions> {
  const { keyCertSign, cRLSign } = library.KeyUsageFlags
  return [
    new library.BasicConstraintsExtension(true, undefined, true),
    new library.KeyUsagesExtension(keyCertSign | cRLSign, true),
    await library.SubjectKeyIdentifierExtension.create(publicKey),
  ]
}

/** As parts, so that no sign in it means anything. */
function distinguishedName(commonName: string): { CN: string[] }[] {
  return [{ CN: [commonName] }]
}

/** The library has words of its own for what OpenSSL calls otherwise. */
function pem(label: string, der: ArrayBuffer): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .replace(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify'])
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const { KeyObject } = process.getBuiltinModule('node:crypto')
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString()
}
