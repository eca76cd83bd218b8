import type { AccessRecord, RecordEnd } from '../audit/record.ts'
import { formatHost } from '../wire/authority.ts'
import type { Judgement, RequestFacts } from './judge-request.ts'

export interface RecordParts {
  readonly facts: RequestFacts
  readonly judgement: Judgement
  readonly correlationId: string
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly end?: RecordEnd
}

/** The access-log record of an inbound request, or of its end. */
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
    operationName: facts.method,
    serviceFqdn: authority === undefined ? undefined : formatHost(authority.host),
    source: {
      ipAddress: caller?.address?.text,
      port: callerPort,
      protocol: facts.isSecure ? 'HTTPS:TCP' : 'HTTP:TCP',
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
