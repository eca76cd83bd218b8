import { appendFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { AccessLog, parseLine } from '../../src/demo/access-log.ts'
import { performCheck, type Check } from '../../src/demo/check.ts'
import { sumOf } from '../../src/demo/stories/evidence.ts'

interface Line {
  readonly category?: string
  readonly reason: string
  readonly closeReason?: string
}

function textOf({ category, ...properties }: Line): string {
  return `${JSON.stringify({ category, correlationId: 'c', sequence: 1, properties })}\n`
}

async function perform(
  t: Test,
  options: { readonly lines: readonly Line[]; readonly check: Partial<Check> },
): Promise<Awaited<ReturnType<typeof performCheck>>> {
  const file = path.join(t.testdir({ log: textOf({ reason: 'of an earlier check' }) }), 'log')
  const log = await AccessLog.open(file)
  t.teardown(async () => log.close())
  const check: Check = {
    tried: 'something',
    expect: '200 access-rule',
    categories: ['A'],
    act: async () => ({ status: 200, headers: {}, body: '' }),
    ...options.check,
  }
  return performCheck(
    {
      ...check,
      act: async () => {
        for (const line of options.lines) appendFileSync(file, textOf(line))
        return check.act()
      },
    },
    log,
  )
}

void t.test('performCheck: status of the answer, reason and category of the log', async (t) => {
  const result = await perform(t, {
    lines: [{ category: 'A', reason: 'access-rule' }],
    check: {},
  })
  t.strictSame(result, {
    passed: true,
    got: '200 access-rule',
    categories: ['A'],
    problem: undefined,
  })
})

void t.test('performCheck: the reason that the client is told comes first', async (t) => {
  const body =
    '{"error":{"code":"BadGateway","message":"m","innererror":{"reason":"connect-refused"}}}'
  const result = await perform(t, {
    lines: [
      { category: 'A', reason: 'access-rule' },
      { category: 'A', reason: 'access-rule', closeReason: 'connect-refused' },
    ],
    check: { expect: '502 connect-refused', act: async () => ({ status: 502, headers: {}, body }) },
  })
  t.ok(result.passed, result.problem ?? result.got)
})

void t.test('performCheck: fails on another status, category, or finding', async (t) => {
  const line = { category: 'A', reason: 'access-rule' }
  for (const [note, check, lines] of [
    ['status', { act: async () => ({ status: 403, headers: {}, body: '' }) }, [line]],
    ['category', {}, [{ ...line, category: 'B' }]],
    ['one line more', {}, [line, line]],
    ['finding', { also: () => 'but no' }, [line]],
    ['error', { act: async () => Promise.reject(new Error('refused')) }, [line]],
  ] as const) {
    t.notOk((await perform(t, { lines, check })).passed, note)
  }
})

void t.test('parseLine: finds fields at the top and inside properties', async (t) => {
  const line = parseLine(
    '{"category":"A","correlationId":"c","sequence":7,"properties":{"reason":"limit","enforcedEffect":"deny"}}',
  )
  t.match(line, { category: 'A', correlationId: 'c', sequence: 7, reason: 'limit' })
  t.equal(line.enforcedEffect, 'deny')
  t.equal(line.closeReason, undefined)
})

void t.test('sumOf: adds the samples of one metric', async (t) => {
  const text = '# HELP a x\na{b="c"} 2\na{b="d"} 3\nab{b="d"} 9\n'
  t.equal(sumOf(text, 'a'), 5)
})
