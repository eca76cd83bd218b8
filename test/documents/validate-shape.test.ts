import t from 'tap'
import { createFindings } from '../../src/documents/findings.ts'
import { toPublishedSchema } from '../../src/documents/json-schema.ts'
import type { Path } from '../../src/documents/problem.ts'
import {
  choice,
  defaulted,
  integer,
  integerOr,
  list,
  map,
  object,
  optional,
  required,
  text,
} from '../../src/documents/shape.ts'
import { validateShape } from '../../src/documents/validate-shape.ts'

const member = object({
  name: required(text({ maxLength: 12 }), 'name'),
  mode: defaulted(choice(['on', 'off'], { yes: 'that is `on`' }), {
    default: 'on',
    description: 'mode',
  }),
})
const shape = object(
  {
    members: required(list(member, { minItems: 1 }), 'members'),
    ports: defaulted(list(integer({ minimum: 1, maximum: 9 })), {
      default: [1],
      description: 'ports',
    }),
    names: optional(map('name', list(text())), 'names'),
    count: optional(integerOr('all', { minimum: 1, maximum: 9 }), 'a number or a word'),
  },
  { port: 'write `ports`' },
)

function validate(data: unknown, unknownKeys: 'error' | 'warning' = 'error') {
  // Places are the paths themselves, so that tests can read them.
  const found: { readonly path: Path; readonly message: string; readonly severity: string }[] = []
  const findings = createFindings(() => ({ file: 'f', line: 1, column: 1 }))
  const noting = {
    ...findings,
    error: (path: Path, message: string) => void found.push({ path, message, severity: 'error' }),
    warning: (path: Path, message: string) =>
      void found.push({ path, message, severity: 'warning' }),
  }
  const validated = validateShape(shape, data, { findings: noting, unknownKeys })
  return { found, validated }
}

void t.test('validateShape: fills defaults into a copy', (t) => {
  const data = { members: [{ name: 'a' }] }
  const { found, validated } = validate(data)
  t.same(found, [])
  t.same(validated?.value, { members: [{ name: 'a', mode: 'on' }], ports: [1] })
  t.same(data, { members: [{ name: 'a' }] })
  t.end()
})

void t.test('validateShape: leaves out what does not fit and goes on with the rest', (t) => {
  const { found, validated } = validate({
    members: [7, { name: 'a' }, { mode: 'off' }, { name: 'b', extra: 1, mode: 'yes' }],
    ports: [0, 2, 'x', 3],
    port: 1,
  })
  t.same(validated?.value, {
    members: [
      { name: 'a', mode: 'on' },
      { name: 'unreadable', mode: 'off' },
      { name: 'b', mode: 'on' },
    ],
    ports: [2, 3],
  })
  t.same(
    found.map(({ path, message }) => `${path.join('/')}: ${message}`),
    [
      'port: unknown key `port`; write `ports`',
      'members/0: an item of `members` must be a mapping of keys to values, not `7`',
      'members/2: the key `name` is missing in an item of `members`',
      'members/3/extra: unknown key `extra`',
      'members/3/mode: `mode` must be one of `on`, `off`, not `yes`; that is `on`',
      'ports/0: an item of `ports` must be at least 1, not `0`',
      'ports/2: an item of `ports` must be a whole number, not `x`',
    ],
  )
  t.end()
})

void t.test('validateShape: findings take paths into the value and find the original', (t) => {
  const { found, validated } = validate({ members: [7, { name: 'a' }, 8, { name: 'b' }] })
  found.length = 0
  validated?.findings.error(['members', 1, 'name'], 'is late')
  t.same(found, [{ path: ['members', 3, 'name'], message: 'is late', severity: 'error' }])
  t.end()
})

void t.test('validateShape: nothing is said about what has lost a part', (t) => {
  const { found, validated } = validate({ members: [{ name: 'a', extra: 1 }, { name: 'b' }] })
  found.length = 0
  validated?.findings.error(['members', 0], 'may follow from what was lost')
  validated?.findings.warning([], 'so may this')
  validated?.findings.error(['members', 1], 'does not')
  t.same(
    found.map(({ message }) => message),
    ['does not'],
  )
  t.end()
})

void t.test('validateShape: unknown keys warn where other tools wrote the document', (t) => {
  const { found, validated } = validate({ members: [{ name: 'a', extra: 1 }] }, 'warning')
  t.match(found, [{ severity: 'warning', path: ['members', '0', 'extra'] }])
  t.same(validated?.value.members, [{ name: 'a', mode: 'on' }])
  t.end()
})

for (const data of [undefined, null, 7, 'text', [], [{ members: [] }]]) {
  void t.test(`validateShape: nothing fits of ${JSON.stringify(data)}`, (t) => {
    const { found, validated } = validate(data)
    t.equal(validated, undefined)
    t.equal(found.length, 1)
    t.end()
  })
}

void t.test('validateShape: gives up where no placeholder fits', (t) => {
  const findings = createFindings(() => ({ file: 'f', line: 1, column: 1 }))
  const narrow = object({ name: required(text({ pattern: '^[0-9]$', says: 'a digit' }), 'name') })
  t.equal(validateShape(narrow, {}, { findings, unknownKeys: 'error' }), undefined)
  t.match(findings.problems, [{ message: 'the key `name` is missing' }])
  t.end()
})

void t.test('toPublishedSchema: closed objects, descriptions, defaults', (t) => {
  t.match(toPublishedSchema(shape, 'Test'), {
    title: 'Test',
    type: 'object',
    additionalProperties: false,
    required: ['members'],
    properties: {
      members: { description: 'members', type: 'array', minItems: 1 },
      ports: { default: [1], items: { type: 'integer', minimum: 1, maximum: 9 } },
      names: { additionalProperties: { type: 'array', items: { type: 'string' } } },
    },
  })
  t.end()
})

void t.test('validateShape: a number or a word', async (t) => {
  const members = [{ name: 'a' }]
  for (const { count, says } of [
    { count: 3, says: [] },
    { count: 'all', says: [] },
    { count: 'some', says: ['`count` must be a whole number or `all`, not `some`'] },
    {
      count: '3',
      says: ['`count` must be a whole number or `all`, not `3`; write it without quotes'],
    },
    { count: 10, says: ['`count` must be at most 9, not `10`'] },
    { count: true, says: ['`count` must be a whole number or `all`, not `true`'] },
  ]) {
    const { found, validated } = validate({ members, count })
    t.same(
      found.map(({ message }) => message),
      says,
      String(count),
    )
    if (says.length === 0) t.equal(validated?.value.count, count)
  }
})
