import type { AccessRecord, RecordEnd } from '../audit/record.ts'
import { formatHost } from '../wire/authority.ts'
import type { ConnectionFacts } from './connection-facts.ts'
import type { Judgement, RequestFacts } from './judge-request.ts'

export interface RecordParts {
  readonly facts: RequestFacts | ConnectionFacts
  readonly judgement: Judgement
  readonly correlationId: string
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly end?: RecordEnd
}

/** The access-log record of an inbound request or connection, or of its end. */
export function inboundRecord({
  facts,
  judgement,
  correlationId,
  time,
  end,
}: RecordParts): AccessRecord {
  const { decision, authority, caller, callerPort, removedHeaders, detail } = judgement
  return {
    time,
    correlationId,
    decision,
    operationName: 'method' in facts ? facts.method : 'TCP',
    serviceFqdn: authority === undefined ? undefined : formatHost(authority.host),
    source: {
      ipAddress: caller?.address?.text,
      port: callerPort,
      protocol: protocolOf(facts),
      resourceId: caller?.resourceId,
      perimeterGuids: caller?.perimeters ?? [],
      subscriptions: caller?.subscriptions ?? [],
    },
    destination: undefined,
    removedHeaders,
    detail,
    end,
  }
}

/** As NSP writes it: application, then transport; of what nobody reads only the transport is known. */
function protocolOf(facts: RequestFacts | ConnectionFacts): string {
  if (!('method' in facts)) return 'TCP'
  return facts.isSecure ? 'HTTPS:TCP' : 'HTTP:TCP'
}
