import type { AccessRecord } from '../audit/record.ts'

/**
 * The last denials, for whoever asks why something was refused. Each is copied into plain text at once: keeping the
 * record would keep the snapshot that decided it, and a reload could then never free the old policy.
 */

/** One denial as `GET /denials` answers it. `null` where JSON has to say that there is nothing. */
export interface Denial {
  readonly time: string
  readonly correlationId: string
  readonly direction: string
  readonly reason: string
  readonly detail: string | null
  readonly category: string | null
  readonly accessMode: string | null
  readonly resource: string | null
  readonly perimeter: string | null
  readonly profile: string | null
  readonly rule: string | null
  readonly operationName: string
  readonly source: {
    readonly ipAddress: string | null
    readonly resourceId: string | null
    readonly subscriptions: readonly string[]
    readonly perimeters: readonly string[]
  }
  readonly destination: string | null
  readonly policyVersion: string
}

/** The time is put into words only when somebody asks: whoever floods us with denials must not make us format dates. */
type Noted = Omit<Denial, 'time'> & { readonly time: number }

export interface RecentDenials {
  note(record: AccessRecord): void
  /** Newest first; with a correlation id, only its denials. */
  list(correlationId?: string): readonly Denial[]
}

/** Enough to find what a user reports within the minute; about 200 KB at the worst. */
const defaultCapacity = 200
/** Names and methods come from clients: bounded here as the access log bounds them. */
const maxTextLength = 300

export function createRecentDenials(capacity = defaultCapacity): RecentDenials {
  const ring: Noted[] = []
  let next = 0
  return {
    note(record) {
      if (record.decision.effect !== 'deny' || record.end !== undefined) return
      ring[next] = describe(record)
      next = (next + 1) % capacity
    },
    list(correlationId) {
      const oldestFirst = [...ring.slice(next), ...ring.slice(0, next)]
      const newestFirst = oldestFirst.toReversed()
      const asked =
        correlationId === undefined
          ? newestFirst
          : newestFirst.filter((denial) => denial.correlationId === correlationId)
      return asked.map((denial) => ({ ...denial, time: new Date(denial.time).toISOString() }))
    },
  }
}

/** Those of several threads as one list, as long as that of one. */
export function newestFirst(denials: readonly Denial[]): readonly Denial[] {
  return denials
    .toSorted((one, other) => (one.time < other.time ? 1 : one.time > other.time ? -1 : 0))
    .slice(0, defaultCapacity)
}

function describe(record: AccessRecord): Noted {
  const { decision, source, destination } = record
  const association = decision.resource?.association
  return {
    time: record.time,
    correlationId: record.correlationId,
    direction: decision.direction,
    reason: decision.reason,
    detail: record.detail ?? null,
    category: decision.category ?? null,
    accessMode: decision.accessMode ?? null,
    resource: decision.resource?.id.text ?? null,
    perimeter: association?.perimeter.perimeter.name ?? null,
    profile: association?.profile.name ?? null,
    rule: decision.rule ?? null,
    operationName: bounded(record.operationName),
    source: {
      ipAddress: source?.ipAddress ?? null,
      resourceId: source?.resourceId?.text ?? null,
      subscriptions: source?.subscriptions ?? [],
      perimeters: source?.perimeterGuids ?? [],
    },
    destination: describeDestination(record, destination),
    policyVersion: decision.policyVersion,
  }
}

function describeDestination(
  record: AccessRecord,
  destination: AccessRecord['destination'],
): string | null {
  const host = destination?.fullyQualifiedDomainName ?? destination?.ipAddress ?? record.serviceFqdn
  if (host === undefined) return null
  return bounded(destination?.port === undefined ? host : `${host}:${destination.port}`)
}

function bounded(text: string): string {
  return text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength)}…`
}
