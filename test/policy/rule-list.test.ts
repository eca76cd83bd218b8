import fc from 'fast-check'
import t from 'tap'
import { PerimeterError } from '../../src/errors.ts'
import { beginArena, createArenaBuffer, createPrivateArena } from '../../src/policy/arena.ts'
import { openRuleList, type RuleLine } from '../../src/policy/rule-list.ts'
import { RuleTextWriter } from '../../src/policy/rule-table.ts'

function listOf(lines: readonly RuleLine[], arena = createPrivateArena()) {
  const writer = new RuleTextWriter()
  for (const { kind, text } of lines) {
    if (kind === 'Inbound' || kind === 'Outbound') writer.rule(kind, text)
    else writer.element(kind, text)
  }
  return openRuleList(writer.finish(arena), arena.epoch)
}

const office: readonly RuleLine[] = [
  { kind: 'Inbound', text: 'office' },
  { kind: 'addressPrefixes', text: '203.0.113.0/24' },
  { kind: 'subscriptions', text: '22222222-2222-2222-2222-222222222222' },
  { kind: 'Outbound', text: 'payments' },
  { kind: 'fullyQualifiedDomainNames', text: '*.vault.example' },
  { kind: 'Outbound', text: 'empty' },
]

void t.test('a rule list tells names, numbers and every line in order', (t) => {
  const list = listOf(office)
  t.strictSame([...list.lines()], office)
  t.strictSame(
    [0, 1, 2, 3, -1, 0.5].map((rule) => list.nameOf(rule)),
    ['office', 'payments', 'empty', undefined, undefined, undefined],
  )
  t.equal(list.nameOf(1), 'payments', 'as the first time')
  t.equal(list.count('Inbound'), 1)
  t.equal(list.count('Outbound'), 2)
  t.end()
})

void t.test('a rule list without rules is empty', (t) => {
  const list = listOf([])
  t.strictSame([...list.lines()], [])
  t.equal(list.nameOf(0), undefined)
  t.equal(list.count('Inbound'), 0)
  t.end()
})

void t.test('a rule list keeps names apart that share a place among those it keeps', (t) => {
  const names = Array.from({ length: 20_000 }, (_, rule) => `rule-${rule}`)
  const list = listOf(names.map((text) => ({ kind: 'Inbound', text })))
  for (let round = 0; round < 2; round++) {
    const wrong = names.findIndex((name, rule) => list.nameOf(rule) !== name)
    t.equal(wrong, -1)
  }
  t.equal(list.nameOf(3), 'rule-3')
  t.equal(list.nameOf(3 + 8192), 'rule-8195')
  t.equal(list.nameOf(3), 'rule-3')
  t.end()
})

void t.test('what goes into the text of rules comes out of it', (t) => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  const line = fc.record({
    kind: fc.constantFrom('Inbound', 'Outbound', 'addressPrefixes', 'fullyQualifiedDomainNames'),
    text: fc.string({ unit: 'grapheme-ascii', maxLength: 300 }),
  })
  fc.assert(
    fc.property(fc.array(line, { maxLength: 80, size: 'max' }), (lines) => {
      const arena = beginArena(createArenaBuffer(), 1)
      const list = listOf(lines, arena)
      arena.finish()
      t.same([...list.lines()], lines)
      const rules = lines.filter(({ kind }) => kind === 'Inbound' || kind === 'Outbound')
      return rules.every(({ text }, rule) => list.nameOf(rule) === text)
    }),
    { seed, numRuns: 100 },
  )
  t.end()
})

const refused = [
  { note: 'a letter that is no byte', text: 'b\u{131}lling' },
  { note: 'a letter of Latin 1', text: 'caf\u{e9}' },
  { note: 'a line feed, which would begin another line', text: 'a\n#evil.example' },
  { note: 'a delete', text: 'a\u{7f}' },
  { note: 'a zero', text: 'a\0' },
] as const

for (const { note, text } of refused) {
  void t.test(`the text of rules takes printable ASCII alone: ${note}`, (t) => {
    const writer = new RuleTextWriter()
    for (const write of [
      () => writer.rule('Inbound', text),
      () => writer.element('fullyQualifiedDomainNames', text),
    ]) {
      try {
        write()
        t.fail('it was taken')
      } catch (error) {
        t.ok(error instanceof PerimeterError)
        t.match(error, { code: 'RF_POLICY', message: /is not plain ASCII/ })
      }
    }
    t.end()
  })
}

const spoilt = [
  { note: 'cut off in a name', text: '>offi', message: /cut off/ },
  { note: 'a line of no kind', text: '?office\n', message: /no kind/ },
  { note: 'all zeros', text: '\0\0\0\n', message: /no kind/ },
] as const

for (const { note, text, message } of spoilt) {
  void t.test(`a rule list says so rather than read what is spoilt: ${note}`, (t) => {
    const table = { text: Buffer.from(text), starts: Int32Array.of(0), inbound: 1, outbound: 0 }
    const list = openRuleList(table, createPrivateArena().epoch)
    t.throws(() => [...list.lines()], message)
    if (note.startsWith('cut')) t.throws(() => list.nameOf(0), message)
    t.end()
  })
}

void t.test('a rule list of an arena that is begun anew throws', (t) => {
  const buffer = createArenaBuffer()
  const arena = beginArena(buffer, 1)
  const list = listOf(office, arena)
  arena.finish()
  const lines = list.lines()
  t.equal(lines.next().done, false)
  beginArena(buffer, 3).finish()
  t.throws(() => list.nameOf(0), /gone/)
  t.throws(() => lines.next(), /gone/)
  t.end()
})
