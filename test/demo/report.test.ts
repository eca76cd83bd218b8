import t from 'tap'
import { createReport } from '../../src/demo/report.ts'

const check = {
  tried: 'the office reads a blob',
  expect: '200 access-rule',
  categories: ['NspPublicInboundPerimeterRulesAllowed'],
  act: async () => ({ kind: 'observation', got: '' }) as const,
}

void t.test('createReport: aligns its columns and ends with the counts', async (t) => {
  const lines: string[] = []
  const report = createReport({ write: (line) => lines.push(line), colours: false })
  report.story({ title: 'Who gets in', about: 'Only what a rule names.', checks: () => [] })
  report.check(check, {
    passed: true,
    got: '200 access-rule',
    categories: ['NspOutboundAttempt', 'NspIntraPerimeterInboundAllowed'],
    problem: undefined,
  })
  report.check(check, { passed: false, got: '403 x', categories: [], problem: 'it was denied' })
  t.equal(report.end(), 1)
  const [, title, , header = '', first = '', second = ''] = lines
  t.equal(title, 'Who gets in')
  t.equal(first.indexOf('NspOutboundAttempt'), header.indexOf('category'))
  t.equal(second.indexOf('NspIntra'), header.indexOf('category'))
  t.equal(first.indexOf('200'), header.indexOf('expected'))
  t.equal(first.lastIndexOf('200'), header.indexOf('got'))
  t.match(lines, /it was denied/)
  t.equal(lines.at(-1), '1 checks passed, 1 failed')
  t.notOk(lines.join('').includes('\u001b'), 'no colours where nobody sees them')
})

void t.test('createReport: colours are for terminals', async (t) => {
  const lines: string[] = []
  const report = createReport({ write: (line) => lines.push(line), colours: true })
  report.story({ title: 'Who gets in', about: 'Only what a rule names.', checks: () => [] })
  t.ok(lines.join('').includes('\u001b[1mWho gets in'))
})
