import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { createRecordFormat } from '../../src/audit/format-record.ts'
import { categories, type Category } from '../../src/perimeter/category.ts'
import { type RecordParts, recordFrom } from '../support/record-parts.ts'

/**
 * test/golden/access-log/*.golden: what happened as JSON, a line of `---`, the line of the log. A new case is a new file;
 * `UPDATE_GOLDEN=1` writes the lines, and the difference is reviewed like code.
 */
const folder = new URL('../golden/access-log/', import.meta.url)
const divider = '\n---\n'

type GoldenInput =
  | (RecordParts & { readonly note: string; readonly kind: 'record' })
  | {
      readonly note: string
      readonly kind: 'records-lost'
      readonly lost: {
        readonly count: number
        readonly firstTime: number
        readonly lastTime: number
      }
    }

const format = createRecordFormat({
  instance: 'gateway-1',
  boot: '5b8e4a3e-8f0e-4d53-9c3d-0c9f4f6a7a01',
})

function render(input: GoldenInput): string {
  return input.kind === 'record'
    ? format.record(recordFrom(input), 42)
    : format.recordsLost(input.lost, 42)
}

/** What is hostile in a log is hostile in a review too. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replace(
    /[^\n\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

interface Line {
  readonly category: Category | null
  readonly properties: { readonly resultAction?: string; readonly closeReason?: string }
}

void t.test('the access log is, byte for byte, what the golden files say', async (t) => {
  const covered = new Set<string>()
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.golden'))) {
    const path = new URL(file, folder)
    const [inputText = '', wanted = ''] = readFileSync(path, 'utf8').split(divider)
    // The files are ours and reviewed; a wrong one fails below.
    const input = JSON.parse(inputText) as GoldenInput
    const line = render(input)
    if (process.env['UPDATE_GOLDEN'] === '1') {
      writeFileSync(path, `${asciiJson(input)}${divider}${line}`)
    } else {
      t.equal(line, wanted, `${file}: ${input.note}`)
    }
    const { category, properties } = JSON.parse(line) as Line
    t.equal(line.indexOf('\n'), line.length - 1, `${file}: one line`)
    t.match(line, /^[\x20-\x7e]*\n$/, `${file}: ASCII alone`)
    if (properties.closeReason === undefined) covered.add(String(category))
  }
  for (const category of categories) t.ok(covered.has(category), `a file covers ${category}`)
  t.ok(covered.has('null'), 'a file covers a record without a category')
})
