import type { Decision } from '../policy/decision.ts'
import type { IpAddress } from '../wire/address.ts'
import { prefersHtml } from '../wire/accept.ts'
import type { RawHeaders } from '../wire/headers.ts'
import type { Refusal } from '../wire/refusal.ts'
import { describeDestination, type Exchange } from './exchange.ts'
import { describeRefusal, type Said } from './refusal-words.ts'
import type { Asked } from './verdict.ts'

export interface Refusing {
  readonly decision: Decision
  /** Undefined where no destination could be read. */
  readonly asked?: Asked | undefined
  readonly protocol: string
  /** The address that the guard refused. */
  readonly address?: IpAddress | undefined
  /** For the log, never a client's bytes. */
  readonly detail?: string | undefined
  /** For the client, instead of the reason's own sentence. */
  readonly message?: string | undefined
  readonly status?: number
  readonly html: boolean
}

/** Records a denial as the final effect and words it for the client. */
export function refuse(exchange: Exchange, refusing: Refusing): Refusal {
  const { decision, asked, protocol, address, html } = refusing
  const { detail, message, status } = ofStranger(exchange, refusing)
  exchange.record(decision, {
    detail,
    ...(asked === undefined
      ? {}
      : { destination: describeDestination(asked, { protocol, address }) }),
  })
  return describeRefusal({
    reason: decision.reason,
    correlationId: exchange.correlationId,
    destination: asked?.destination,
    decision,
    html,
    message,
    egressPorts: exchange.egressPorts,
    ...(status === undefined ? {} : { status }),
  })
}

const authenticationRequired = 407

/** Who could be known by credentials is asked for them. */
function ofStranger(
  exchange: Exchange,
  refusing: Refusing,
): Pick<Refusing, 'detail' | 'message' | 'status'> {
  if (refusing.decision.reason !== 'unknown-caller') return refusing
  const { evidence, knowsCredentials } = exchange
  const detail = evidence?.kind === 'rejected' ? evidence.detail : undefined
  if (!knowsCredentials) return { detail }
  const message = 'this proxy asks for the credentials of a member'
  return { detail, message, status: authenticationRequired }
}

/** Words what kept an allowed request from being carried out; it has its record already. */
export function wordFailure(
  exchange: Exchange,
  failure: Said & { readonly asked: Asked | undefined; readonly rawHeaders: RawHeaders },
): Refusal {
  const { asked, rawHeaders, ...said } = failure
  return describeRefusal({
    ...said,
    correlationId: exchange.correlationId,
    destination: asked?.destination,
    html: prefersHtml(rawHeaders),
  })
}
