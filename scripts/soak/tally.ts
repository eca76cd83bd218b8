/** What happened, counted; and what should not have happened. */
export interface Tally {
  /** Exchanges that came out as they should, by kind. */
  readonly done: Map<string, number>
  /** Failures that are explained: their back end was being restarted. */
  explained: number
  restarts: number
  reloads: number
  refusedReloads: number
  /** Correlation ids that answers told. */
  readonly correlationIds: Set<string>
  /** One sentence each, and how often. */
  readonly findings: Map<string, number>
}

/** Enough to know that the log is complete; more would be our own leak. */
const maxIds = 200_000

export function createTally(): Tally {
  return {
    done: new Map(),
    explained: 0,
    restarts: 0,
    reloads: 0,
    refusedReloads: 0,
    correlationIds: new Set(),
    findings: new Map(),
  }
}

export function countDone({ done }: Tally, kind: string): void {
  done.set(kind, (done.get(kind) ?? 0) + 1)
}

export function noteFinding({ findings }: Tally, sentence: string): void {
  findings.set(sentence, (findings.get(sentence) ?? 0) + 1)
}

export function noteCorrelationId({ correlationIds }: Tally, id: unknown): void {
  if (typeof id === 'string' && correlationIds.size < maxIds) correlationIds.add(id)
}
