import { readBasicCredentials } from '../identity/basic-credentials.ts'
import { readBearer } from '../identity/read-token.ts'
import { type SecretCheck, sharedSecretChecks } from '../identity/secret-checks.ts'
import type { TokenFinding } from '../identity/token-finding.ts'
import type { InForce } from '../settings/in-force.ts'
import { headerValues, type RawHeaders } from '../wire/headers.ts'
import type { Exchange } from './exchange.ts'

/** Of a refusal as `limit`, for the log. */
export const tooManyCredentials = 'credentials that wait to be verified'

/** `busy`: it is to be refused as `limit`. */
export type Identified = 'identified' | 'busy'

/**
 * Finds out who asks, and leaves it with the exchange. At once, unless credentials have to be verified that were not seen
 * before. THREAT: presented credentials are never written anywhere.
 */
export function identifyCaller(
  exchange: Exchange,
  given: { readonly rawHeaders: RawHeaders; readonly inForce: InForce | undefined },
): Identified | Promise<Identified> {
  const { listener: name, peer } = exchange.origin
  const listener = given.inForce?.settings.outbound.find((one) => one.name === name)
  if (listener === undefined || listener.callers.length === 0) return 'identified'
  const values = headerValues(given.rawHeaders, 'proxy-authorization')
  const [presented] = values
  if (presented === undefined) return 'identified'
  const token = values.length > 1 ? undefined : readBearer(presented)
  if (token !== undefined && listener.callers.some((one) => one.tokenAudience !== undefined)) {
    const finding = exchange.verifyToken(token)
    return finding instanceof Promise
      ? finding.then((found) => hold(exchange, found))
      : hold(exchange, finding)
  }
  const credentials = values.length > 1 ? undefined : readBasicCredentials(presented)
  const basics = listener.callers.flatMap(({ basic }) => basic ?? [])
  const [likeness] = basics
  if (credentials === undefined || likeness === undefined) {
    exchange.evidence = { kind: 'rejected', detail: 'credentials that cannot be read' }
    return 'identified'
  }
  const { user } = credentials
  const stored = basics.find((one) => one.user === user)?.secretHash
  const settle = (check: SecretCheck): Identified => {
    if (check === 'busy') return 'busy'
    exchange.evidence =
      check === 'right' && stored !== undefined
        ? { kind: 'secret', user, secretHash: stored }
        : { kind: 'rejected', detail: 'wrong credentials' }
    return 'identified'
  }
  const check = sharedSecretChecks().check({
    presented,
    credentials,
    stored,
    likeness: likeness.secretHash,
    peer: peer?.text ?? '',
  })
  return typeof check === 'string' ? settle(check) : check.then(settle)
}

/** Whether the token is of a member of this listener is decided with the request. */
function hold(exchange: Exchange, finding: TokenFinding): Identified {
  if (finding.kind === 'proof') exchange.evidence = { kind: 'token', proof: finding.proof }
  else {
    const detail = finding.kind === 'nothing' ? finding.note : finding.detail
    exchange.evidence = { kind: 'rejected', detail }
  }
  return 'identified'
}
