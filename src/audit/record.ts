import type { ResourceId } from '../perimeter/resource-id.ts'
import type { Decision } from '../policy/decision.ts'
import type { CloseReason } from '../reasons.ts'

/** What happened, as the proxies hand it over. The writer numbers it, formats it and owns it from then on. */
export interface AccessRecord {
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Also in the response, as `x-ms-request-id`. */
  readonly correlationId: string
  readonly decision: Decision
  /** Method, `CONNECT`, or empty where none could be read. Bounded and escaped by the writer. */
  readonly operationName: string
  /** Host under which the protected resource was addressed (inbound). */
  readonly serviceFqdn: string | undefined
  readonly source: RecordSource | undefined
  readonly destination: RecordDestination | undefined
  /** Identity and forwarding headers that were removed because their sender is not believed, as spelled. */
  readonly removedHeaders: readonly string[]
  /** More on a denial before the stages (`two Host headers`), never a client's bytes. */
  readonly detail: string | undefined
  /** Present on an end line only. */
  readonly end: RecordEnd | undefined
}

export interface RecordSource {
  readonly ipAddress: string | undefined
  readonly port: number | undefined
  /** `HTTP:TCP`, `HTTPS:TCP`. */
  readonly protocol: string
  readonly resourceId: ResourceId | undefined
  readonly perimeterGuids: readonly string[]
  readonly subscriptions: readonly string[]
}

export interface RecordDestination {
  readonly resourceId: ResourceId | undefined
  readonly fullyQualifiedDomainName: string | undefined
  /** The address that was dialled, or that the guard refused. */
  readonly ipAddress: string | undefined
  readonly port: number | undefined
  readonly protocol: string
  /** `host:port` of the proxy that resolves the name and dials instead of us: nobody here has seen an address. */
  readonly upstreamProxy?: string | undefined
}

export interface RecordEnd {
  /** From the client. */
  readonly bytesIn: number
  /** To the client. */
  readonly bytesOut: number
  readonly durationMs: number
  readonly closeReason: CloseReason
}

/** The one access log. Never throws and never waits. */
export interface AccessLog {
  accept(record: AccessRecord): void
  /**
   * Records are being lost, and settings say that nothing may happen unseen: whatever would begin now is to be refused
   * as `limit`. What is open goes on.
   */
  readonly blocksNewWork: boolean
}

/** `detail` of such a refusal. */
export const unloggable = 'the access log takes no more'
