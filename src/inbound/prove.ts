import { readToken } from '../identity/read-token.ts'
import type { TokenFinding } from '../identity/token-finding.ts'
import { inboundRecord } from './access-record.ts'
import type { RefuseAs } from './admit.ts'
import { denial, type RequestFacts } from './judge-request.ts'
import type { InboundPorts } from './ports.ts'

export interface ProveOptions {
  readonly correlationId: string
  /** Set: it is refused without being looked at. */
  readonly refuseAs: RefuseAs | undefined
  /** Whether nobody waits for a decision any more. */
  readonly isOver: () => boolean
  /** Decides. Called once, at once where nothing has to be waited for, and not at all once it is over. */
  readonly next: () => void
}

const unverifiable: TokenFinding = {
  kind: 'nothing',
  note: 'token that cannot be verified',
  until: 0,
}

/**
 * Finds out what the token of a request comes to, before the request is judged. Nothing of the request is read or
 * forwarded meanwhile; whoever serves it keeps its deadlines, and what ends before it was judged has its record too.
 */
export function whenProven(ports: InboundPorts, facts: RequestFacts, options: ProveOptions): void {
  const finding = options.refuseAs === undefined ? findToken(ports, facts) : undefined
  if (finding instanceof Promise) {
    void decideAfter(finding, { ports, facts, options })
    return
  }
  facts.token = finding
  options.next()
}

async function decideAfter(
  finding: Promise<TokenFinding>,
  waiting: {
    readonly ports: InboundPorts
    readonly facts: RequestFacts
    readonly options: ProveOptions
  },
): Promise<void> {
  const { ports, facts, options } = waiting
  try {
    facts.token = await finding
  } catch (error) {
    ports.log.error({ err: error, listener: facts.listener }, 'a token could not be verified')
    facts.token = unverifiable
  }
  if (options.isOver()) recordUnjudged(ports, facts, options.correlationId)
  else options.next()
}

function findToken(
  { currentInForce, verifyToken, accessLog }: InboundPorts,
  { rawHeaders, delivery }: RequestFacts,
): TokenFinding | Promise<TokenFinding> | undefined {
  const tokens = currentInForce()?.settings.identity.tokens
  // Who a delivery is from is known; and what is refused anyway is not worth a signature.
  if (tokens === undefined || delivery !== undefined || accessLog.blocksNewWork) return undefined
  const token = readToken(rawHeaders, tokens.header)
  return typeof token === 'string' ? verifyToken(token) : token
}

function recordUnjudged(ports: InboundPorts, facts: RequestFacts, correlationId: string): void {
  const judgement = denial(facts, {
    reason: 'unknown-caller',
    detail: 'over before its token was verified',
    policyVersion: ports.currentInForce()?.version ?? '',
  })
  ports.accessLog.accept(inboundRecord({ facts, judgement, correlationId, time: ports.now() }))
}
