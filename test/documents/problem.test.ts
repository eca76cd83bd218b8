import t from 'tap'
import { createFindings, maxProblems } from '../../src/documents/findings.ts'
import { deepFreeze } from '../../src/documents/freeze.ts'
import { formatProblem, type Problem, sortProblems } from '../../src/documents/problem.ts'

const problem = (file: string, line: number, rest: Partial<Problem> = {}): Problem => ({
  severity: 'error',
  file,
  line,
  column: 1,
  message: 'm',
  ...rest,
})

void t.test('formatProblem: file, line, column, severity, message', (t) => {
  t.equal(formatProblem(problem('f.yaml', 3, { column: 7 })), 'f.yaml:3:7: error: m')
  t.equal(formatProblem(problem('\u001b[2J', 3)), '\\u001b[2J:3:1: error: m')
  t.end()
})

void t.test('sortProblems: reading order, errors first, none twice', (t) => {
  const sorted = [
    problem('a', 1),
    problem('a', 2),
    problem('a', 2, { severity: 'warning' }),
    problem('a', 2, { column: 5 }),
    problem('a', 10),
    problem('b', 1),
  ]
  const shuffled = [5, 2, 4, 1, 0, 3, 1, 5].flatMap((index) => sorted[index] ?? [])
  t.same(sortProblems(shuffled), sorted)
  t.end()
})

void t.test('createFindings: knows what was found where', (t) => {
  const findings = createFindings(() => ({ file: 'f', line: 1, column: 1 }))
  findings.warning(['a'], 'one')
  t.notOk(findings.hasErrors)
  findings.error(['b', 0, 'c'], 'two')
  t.ok(findings.hasErrors)
  t.ok(findings.foundWithin(['b']))
  t.ok(findings.foundWithin(['b', '0', 'c']))
  t.notOk(findings.foundWithin(['a']), 'a warning is no error')
  t.notOk(findings.foundWithin(['b', 1]))
  t.notOk(findings.foundWithin(['b', 0, 'c', 'd']))
  t.end()
})

void t.test('createFindings: places only so many, and never forgets an error', (t) => {
  let placed = 0
  const findings = createFindings(() => ({ file: 'f', line: ++placed, column: 1 }))
  for (let count = 0; count < maxProblems; count++) findings.warning(['a', count], 'one')
  t.equal(findings.problems.length, maxProblems)
  t.notOk(findings.hasErrors)
  findings.warning(['b'], 'beyond')
  t.match(findings.problems.at(-1), { severity: 'warning', message: /1 more/ })
  findings.error(['c'], 'beyond')
  t.ok(findings.hasErrors)
  t.equal(findings.problems.length, maxProblems + 1)
  t.match(findings.problems.at(-1), { severity: 'error', message: /2 more/, line: maxProblems })
  t.equal(placed, maxProblems)
  t.end()
})

void t.test('deepFreeze: freezes everything but bytes, maps too', (t) => {
  const map = new Map([['k', { inner: [1] }]])
  const value = deepFreeze({ list: [{ a: 1 }], bytes: Uint8Array.of(1), map })
  t.throws(() => Object.assign(value.list[0] ?? {}, { a: 2 }))
  t.throws(() => map.set('x', { inner: [] }), /frozen/)
  t.throws(() => map.delete('k'), /frozen/)
  t.throws(() => map.clear(), /frozen/)
  t.throws(() => map.get('k')?.inner.push(2))
  t.same(map.get('k'), { inner: [1] })
  t.end()
})
