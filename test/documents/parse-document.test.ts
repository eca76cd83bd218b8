import t from 'tap'
import { parseDocument } from '../../src/documents/parse-document.ts'

const places = [
  { note: 'a value', path: ['b', 1, 'c'], at: 'value', line: 4, column: 8 },
  { note: 'a key', path: ['b', 1, 'c'], at: 'key', line: 4, column: 5 },
  { note: 'an item', path: ['b', 1], at: 'value', line: 4, column: 5 },
  { note: 'an index as text', path: ['b', '1'], at: 'value', line: 4, column: 5 },
  { note: 'an absent key: the object', path: ['b', 1, 'x'], at: 'key', line: 4, column: 5 },
  { note: 'an absent item: the list', path: ['b', 7], at: 'value', line: 3, column: 3 },
  { note: 'the root', path: [], at: 'value', line: 1, column: 1 },
  { note: 'beyond a scalar: the scalar', path: ['a', 'x', 'y'], at: 'value', line: 1, column: 4 },
] as const

for (const { note, path, at, line, column } of places) {
  void t.test(`parseDocument places ${note}`, (t) => {
    const document = parseDocument('f.yaml', 'a: 1\nb:\n  - first\n  - c: 2\n')
    t.same(document.findings.locate(path, at), { file: 'f.yaml', line, column })
    t.end()
  })
}

void t.test('parseDocument places what an alias stands for where its anchor is', (t) => {
  const document = parseDocument('f.yaml', 'a: &x\n  k: 1\nb: *x\n')
  t.same(document.findings.locate(['b', 'k']), { file: 'f.yaml', line: 2, column: 6 })
  t.same(document.findings.locate(['b']), { file: 'f.yaml', line: 3, column: 4 })
  t.end()
})

const values = [
  { note: 'the core schema of YAML 1.2: `no` is text', text: 'a: no\n', data: { a: 'no' } },
  { note: 'and a directive changes nothing', text: '%YAML 1.1\n---\na: no\n', data: { a: 'no' } },
  { note: 'nothing is null', text: 'a:\n', data: { a: null } },
  { note: 'a leading zero is no octal number', text: 'a: 010\n', data: { a: 10 } },
  { note: 'numbers as keys are text', text: '80: x\ntrue: y\n', data: { 80: 'x', true: 'y' } },
  { note: 'a byte order mark is not text', text: '\ufeffa: 1\n', data: { a: 1 } },
  { note: 'lines may end in CR LF', text: 'a: 1\r\nb: [2,\r\n 3]\r\n', data: { a: 1, b: [2, 3] } },
]

for (const { note, text, data } of values) {
  void t.test(`parseDocument: ${note}`, (t) => {
    const document = parseDocument('f.yaml', text)
    t.same(document.findings.problems, [])
    t.same(document.data, data)
    t.end()
  })
}

const broken = [
  { note: 'a key that is no text', text: '? [a]\n: 1\n', message: /a key must be plain text/ },
  {
    note: 'a key twice in JSON',
    text: '{"a": 1,\n "b": {"a": 2},\n "a": 3}',
    message: /`a` occurs twice/,
    line: 3,
    column: 2,
  },
  { note: 'brackets without end', text: '['.repeat(20_000), message: /nested too deeply/ },
  {
    note: 'brackets in JSON',
    text: `${'['.repeat(100)}${']'.repeat(100)}`,
    message: /nested too deeply/,
  },
  { note: 'indentation without end', text: deepMap(1500), message: /nested too deeply/ },
  { note: 'too many parts', text: `[${'a,'.repeat(300_001)}]`, message: /too large/ },
  { note: 'only a comment', text: '# nothing\n', message: /is empty/ },
  { note: 'no text at all', text: '', message: /is empty/ },
]

for (const { note, text, message, line, column } of broken) {
  void t.test(`parseDocument refuses ${note}`, (t) => {
    const { findings } = parseDocument('f.yaml', text)
    t.ok(findings.hasErrors)
    t.match(findings.problems[0], { severity: 'error', message, ...(line && { line, column }) })
    t.end()
  })
}

void t.test('parseDocument tells at most twenty faults of a text', (t) => {
  const { findings } = parseDocument('f.yaml', `[${','.repeat(1000)}]`)
  t.equal(findings.problems.length, 20)
  t.end()
})

function deepMap(depth: number): string {
  return Array.from({ length: depth }, (_, index) => `${' '.repeat(index)}a:\n`).join('')
}
