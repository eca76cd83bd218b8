import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { checkLog } from '../../../scripts/soak/log-check.ts'

function record(sequence: number, { boot = 'a', id = `id-${sequence}` } = {}): string {
  return JSON.stringify({ correlationId: id, properties: { boot, sequence } })
}

interface Case {
  readonly note: string
  readonly lines: readonly string[]
  readonly expected?: readonly string[]
  readonly want: readonly string[]
}

const cases: readonly Case[] = [
  { note: 'all there, in order', lines: [record(1), record(2), record(3)], want: [] },
  { note: 'all there, in any order', lines: [record(3), record(1), record(2)], want: [] },
  { note: 'a start counts from 1 again', lines: [record(1), record(1, { boot: 'b' })], want: [] },
  {
    note: 'a gap',
    lines: [record(1), record(4), record(6)],
    want: ['3 records are missing from the access log, the first is number 2'],
  },
  {
    note: 'the beginning is missing',
    lines: [record(2)],
    want: ['1 records are missing from the access log, the first is number 1'],
  },
  {
    note: 'a number twice, early or late',
    lines: [record(1), record(3), record(3), record(2), record(1)],
    want: ['numbers that are in the access log twice: 3, 1'],
  },
  {
    note: 'what is no record',
    lines: [record(1), '{"properties":', '{}', record(2)],
    want: ['lines that are no records: 2, 3'],
  },
  {
    note: 'an answer that nobody logged',
    lines: [record(1, { id: 'told' })],
    expected: ['told', 'untold'],
    want: ['answered, but not in the access log: untold'],
  },
]

void t.test('checkLog: every number once, and every answer that was told', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-test-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'access.log')
  for (const { note, lines, expected = [], want } of cases) {
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
    const got = await checkLog(file, new Set(expected))
    t.strictSame(got, { lines: lines.length, findings: want }, note)
  }
})
