import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

/** Whether an access log is complete: every number once, every request that we know of in it. */

export interface LogFindings {
  readonly lines: number
  /** One sentence each. */
  readonly findings: readonly string[]
}

/** As much of a record as is looked at. */
interface RecordKeys {
  readonly correlationId?: string
  readonly properties: { readonly boot: string; readonly sequence: number }
}

/** Listed one by one; more are only counted. */
const maxListed = 5

/** @param expected correlation ids that answers told. */
export async function checkLog(file: string, expected: ReadonlySet<string>): Promise<LogFindings> {
  const missing = new Set(expected)
  const sequence = createSequenceCheck()
  const unreadable: number[] = []
  let lines = 0
  for await (const line of createInterface({ input: createReadStream(file) })) {
    lines++
    const record = parse(line)
    if (record === undefined) unreadable.push(lines)
    else {
      sequence.add(record.properties.boot, record.properties.sequence)
      if (record.correlationId !== undefined) missing.delete(record.correlationId)
    }
  }
  const findings = sequence.findings()
  if (unreadable.length > 0) findings.push(`lines that are no records: ${list(unreadable)}`)
  if (missing.size > 0) findings.push(`answered, but not in the access log: ${list([...missing])}`)
  return { lines, findings }
}

function parse(line: string): RecordKeys | undefined {
  try {
    const record: RecordKeys = JSON.parse(line)
    return typeof record.properties.sequence === 'number' ? record : undefined
  } catch {
    return undefined
  }
}

/** Takes numbers that should be 1, 2, 3 … for each boot, in any order; holds only those that came too early. */
function createSequenceCheck(): {
  add(boot: string, sequence: number): void
  findings(): string[]
} {
  const boots = new Map<string, { next: number; readonly early: Set<number> }>()
  const twice: number[] = []
  return {
    add(boot, sequence) {
      let state = boots.get(boot)
      if (state === undefined) boots.set(boot, (state = { next: 1, early: new Set() }))
      if (sequence < state.next || state.early.has(sequence)) twice.push(sequence)
      else state.early.add(sequence)
      while (state.early.delete(state.next)) state.next++
    },
    findings() {
      const findings: string[] = []
      if (twice.length > 0)
        findings.push(`numbers that are in the access log twice: ${list(twice)}`)
      for (const { next, early } of boots.values()) {
        if (early.size > 0) {
          const last = Math.max(...early)
          const lost = last - next + 1 - early.size
          findings.push(
            `${lost} records are missing from the access log, the first is number ${next}`,
          )
        }
      }
      return findings
    },
  }
}

function list(items: readonly (string | number)[]): string {
  const shown = items.slice(0, maxListed).join(', ')
  return items.length > maxListed ? `${shown} and ${items.length - maxListed} more` : shown
}
