import fc from 'fast-check'
import t from 'tap'
import { parseDocument } from '../../src/documents/parse-document.ts'
import type { At, Path } from '../../src/documents/problem.ts'

const forMs = { interruptAfterTimeLimit: 3000, numRuns: 2000 }

void t.test('parseDocument throws for no text', (t) => {
  const line = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[ \t\-?:,[\]{}#&*!|>'"%@`a0\\]{0,12}$/),
    fc.constantFrom(
      'a: &x [*x]',
      '- - -',
      '? {',
      '---',
      '...',
      '%YAML 9.9',
      '!!set',
      '<<: *x',
      '|2-',
    ),
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      const { findings } = parseDocument('f', lines.join('\n'))
      for (const problem of findings.problems) {
        if (problem.line < 1 || problem.column < 1 || problem.message === '') return false
      }
      findings.locate(['a', 0, 'b'], 'key')
      return true
    }),
    forMs,
  )
  t.end()
})

void t.test('parseDocument reads JSON as JSON.parse does', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(0, 2, '\t'), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent)
      const { data, findings } = parseDocument('f', text)
      if (findings.hasErrors) return typeof value !== 'object' || value === null
      return JSON.stringify(data) === text || JSON.stringify(data, undefined, indent) === text
    }),
    forMs,
  )
  t.end()
})

void t.test('places in JSON are those that the YAML parser finds', (t) => {
  const container = fc.oneof(
    fc.array(fc.jsonValue({ maxDepth: 2 }), { minLength: 1 }),
    fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { minKeys: 1 }),
  )
  fc.assert(
    fc.property(container, fc.constantFrom(0, 1, '\t'), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent)
      const json = parseDocument('f', text).findings
      // A trailing comment makes it YAML, and moves nothing.
      const yaml = parseDocument('f', `${text} #`).findings
      if (yaml.hasErrors) return true
      return pathsOf(value).every((path) =>
        (['key', 'value'] as const satisfies readonly At[]).every(
          (at) => JSON.stringify(json.locate(path, at)) === JSON.stringify(yaml.locate(path, at)),
        ),
      )
    }),
    { ...forMs, numRuns: 500 },
  )
  t.end()
})

function pathsOf(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return [path, ...entries.flatMap(([key, item]) => pathsOf(item, [...path, key]))]
}
