import { readCertified } from '../identity/certificate-path.ts'
import type { Caller, Delivery, RemoteDelivery } from '../identity/caller.ts'
import { hasName } from '../identity/certificate-names.ts'
import {
  type ClientTrust,
  readShown,
  type ShownCertificate,
} from '../identity/client-certificate.ts'
import { homesIn } from '../identity/identify.ts'
import type { Proof } from '../identity/proof.ts'
import { readProofs } from '../identity/read-proofs.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { InForce } from '../settings/in-force.ts'
import type {
  CertificateAuthority,
  ClientCertificates,
  InboundListener,
} from '../settings/settings.ts'
import { pemBlocks } from '../wire/pem.ts'
import { readRevocationList } from '../wire/revocation-list.ts'
import type { ConnectionFacts } from './connection-facts.ts'

export type CertificateJudgement =
  | {
      readonly kind: 'judged'
      readonly proof: Proof | undefined
      /** What is wrong with what was shown, a fixed phrase for the log. */
      readonly note: string | undefined
    }
  /** The listener takes nobody without a valid certificate. A fixed phrase for the log. */
  | { readonly kind: 'refused'; readonly note: string }

const nobodyAsked: CertificateJudgement = { kind: 'judged', proof: undefined, note: undefined }

/**
 * What the certificate of a connection proves by whom its listener believes now. A stream from a member here has nobody to
 * ask: who it is is known better. `now` is milliseconds since the epoch.
 */
export function judgeCertificate(
  { certificate, delivery }: ConnectionFacts,
  { tls }: InboundListener,
  given: { readonly inForce: InForce; readonly now: number },
): CertificateJudgement {
  if (delivery?.remote !== undefined) return judgeRemote({ ...delivery, ...delivery.remote }, given)
  const trusted = tls?.clientCertificates
  if (trusted === undefined || delivery !== undefined) return nobodyAsked
  const { mode } = trusted
  if (certificate === undefined) {
    return mode === 'optional' ? nobodyAsked : { kind: 'refused', note: 'no client certificate' }
  }
  const read = readShown(certificate, clientTrustOf(trusted), given)
  const note = typeof read === 'string' ? read : faultOf(read, given)
  if (note === undefined && typeof read !== 'string') {
    return { kind: 'judged', proof: read, note: undefined }
  }
  return mode === 'optional'
    ? { kind: 'judged', proof: undefined, note }
    : { kind: 'refused', note: note ?? 'no client certificate' }
}

/** The same of a stream that another instance has sent: its listener is asked, and the sender must still be who it was. */
function judgeRemote(
  delivery: Delivery & RemoteDelivery,
  given: { readonly inForce: InForce; readonly now: number },
): CertificateJudgement {
  const { inbound } = given.inForce.settings
  const listener = inbound.find(({ name }) => name === delivery.listener)
  if (listener === undefined) return { kind: 'refused', note: 'listener that is there no more' }
  const judged = judgeSender(delivery, listener, given)
  if (judged.kind === 'refused') return judged
  return judged.resource.key === delivery.source.key
    ? { kind: 'judged', proof: judged.proof, note: undefined }
    : { kind: 'refused', note: 'client certificate of another member' }
}

/**
 * Which member has sent a stream to a listener for other instances. The name that it goes by must be in its certificate,
 * which may hold no names of two.
 */
export function judgeSender(
  shown: { readonly certificate: ShownCertificate; readonly sender: string },
  { protocol, tls }: InboundListener,
  given: { readonly inForce: InForce; readonly now: number },
):
  | { readonly kind: 'judged'; readonly proof: Proof; readonly resource: ResourceId }
  | { readonly kind: 'refused'; readonly note: string } {
  const trusted = protocol === 'member' ? tls?.clientCertificates : undefined
  if (trusted === undefined) return { kind: 'refused', note: 'listener that is for nobody' }
  const { certificate, sender } = shown
  const read = readShown(certificate, clientTrustOf(trusted), given)
  if (typeof read === 'string') return { kind: 'refused', note: read }
  const note = faultOf(read, given)
  if (note !== undefined) return { kind: 'refused', note }
  const names = certificate.chain[0]?.certificate.subjectAltName
  const { resource } = read.statement
  if (!hasName(names, sender) || resource === undefined) {
    return { kind: 'refused', note: 'PROXY header with a sender that is not in the certificate' }
  }
  return { kind: 'judged', proof: read, resource }
}

/** Why a proof counts for nothing. An authority that claims what is not its own is not believed about the rest either. */
function faultOf(
  proof: Proof,
  { inForce, now }: { readonly inForce: InForce; readonly now: number },
): string | undefined {
  const { speakers } = inForce.settings.identity
  const allowed = speakers.get(proof.speaker)?.perimeters ?? []
  if (!proof.statement.perimeters.every((guid) => allowed.includes(guid))) {
    return 'client certificate of an authority that may not speak for its perimeter'
  }
  const homeOf = homesIn(inForce.snapshot)
  const proven = readProofs([proof], { speakers, audience: undefined, now, homeOf })
  return proven.kind === 'unproven' ? proven.note : undefined
}

const trusts = new WeakMap<ClientCertificates, ClientTrust>()

/** What settings hold as text, read once for as long as they are in force. Throws for what was not checked. */
export function clientTrustOf(settings: ClientCertificates): ClientTrust {
  const known = trusts.get(settings)
  if (known !== undefined) return known
  const { maxDepth, mapping } = settings
  const trust = { maxDepth, mapping, authorities: settings.authorities.map(readAuthority) }
  trusts.set(settings, trust)
  return trust
}

function readAuthority({ speaker, certificates, lists }: CertificateAuthority) {
  return {
    speaker,
    certificates: certificates.flatMap((pem) =>
      pemBlocks(pem, 'CERTIFICATE').map(({ der }) => checked(readCertified(der))),
    ),
    lists: lists?.flatMap((pem) =>
      pemBlocks(pem, 'X509 CRL').map(({ der }) => checked(readRevocationList(der))),
    ),
  }
}

/** THREAT: an authority or a list that is left out in silence would make of a few refusals none. */
function checked<T extends object>(read: T | string | undefined): T {
  if (typeof read === 'object') return read
  throw new TypeError('settings that were checked hold what cannot be read')
}

/**
 * By what the policy decides. THREAT: the address of a client of another instance is that instance's word; it is for the
 * log, and no rule about addresses matches it.
 */
export function decidingSource({ delivery }: ConnectionFacts, caller: Caller): Caller {
  return delivery?.remote === undefined ? caller : { ...caller, address: undefined }
}
