import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type ExplainOptions, runExplain } from '../../src/cli/commands/explain.ts'
import { explainConfiguration } from '../support/explain-configuration.ts'

/**
 * Runs `explain` over the cases of test/golden/explain on one configuration. A case is one file: a note, `=== arguments`,
 * `=== output`, what is printed and the exit code. UPDATE_GOLDEN=1 writes the output anew.
 */

const goldenDirectory = join(import.meta.dirname, '..', 'golden', 'explain')
const argumentsMark = '=== arguments\n'
const outputMark = '=== output\n'

for (const name of (await readdir(goldenDirectory)).toSorted()) {
  const file = join(goldenDirectory, name)
  const text = await readFile(file, 'utf8')
  const [note = '', rest = ''] = text.split(argumentsMark)
  const [line = '', wanted = ''] = rest.split(outputMark)
  void t.test(`runExplain: ${note.trim()} (${name})`, async (t) => {
    const config = join(t.testdir(explainConfiguration), 'ringfence.yaml')
    const output = await explain({ config, ...readArguments(line.trim().split(' ')) })
    if (process.env['UPDATE_GOLDEN'] === '1') {
      await writeFile(file, `${note}${argumentsMark}${line}${outputMark}${output}`)
    } else {
      t.equal(output, wanted)
    }
    t.notMatch(output, /^\s+at /m, 'no stack trace')
  })
}

const usage: readonly { note: string; options: Partial<ExplainOptions>; message: RegExp }[] = [
  {
    note: 'another direction',
    options: { direction: 'sideways' },
    message: /`explain inbound` or `explain outbound`, not `sideways`/,
  },
  { note: 'no settings', options: { config: '' }, message: /--config FILE/ },
  { note: 'no resource', options: { resource: undefined }, message: /--resource ID/ },
  { note: 'no source', options: { source: undefined }, message: /--source IP/ },
  {
    note: 'a source that is no address',
    options: { source: '10.1' },
    message: /`10.1` is no IP address/,
  },
  {
    note: 'a subscription that is no GUID',
    options: { subscription: 'x' },
    message: /--subscription takes a GUID/,
  },
  {
    note: 'a perimeter that is no GUID',
    options: { perimeter: 'shop' },
    message: /--perimeter takes a GUID/,
  },
  {
    note: 'a destination for inbound',
    options: { destination: 'a.example' },
    message: /--destination belongs to/,
  },
  {
    note: 'a source for outbound',
    options: { direction: 'outbound' },
    message: /belong to `explain inbound`/,
  },
  {
    note: 'no destination',
    options: { direction: 'outbound', source: undefined },
    message: /--destination HOST/,
  },
  {
    note: 'a destination that is none',
    options: { direction: 'outbound', source: undefined, destination: 'a b' },
    message: /`a b` is not HOST or HOST:PORT/,
  },
]
for (const { note, options, message } of usage) {
  void t.test(`runExplain: wrong usage is told without reading anything: ${note}`, async (t) => {
    const base = { config: 'none', direction: 'inbound', resource: 'orders', source: '203.0.113.9' }
    const output = await explain({ ...base, ...options, load: unread })
    t.match(output, message)
    t.match(output, /\nexit 2\n$/)
  })
}

void t.test('runExplain: a broken configuration is told with places', async (t) => {
  const config = join(t.testdir({ 'ringfence.yaml': 'policy: {}\n' }), 'ringfence.yaml')
  const output = await explain({ config, direction: 'inbound', resource: 'a', source: '10.0.0.1' })
  t.match(output, /ringfence\.yaml:1:\d+: error: /)
  t.match(output, /\nexit 1\n$/)
})

void t.test('runExplain: --json holds the decision, every stage and the advice', async (t) => {
  const config = join(t.testdir(explainConfiguration), 'ringfence.yaml')
  const printed: string[] = []
  const exitCode = await runExplain({
    config,
    direction: 'outbound',
    resource: 'orders',
    destination: 'unlisted.example',
    json: true,
    out: (text) => printed.push(text),
    err: (text) => printed.push(text),
  })
  t.equal(exitCode, 0)
  const explained: unknown = JSON.parse(printed.join(''))
  t.match(explained, {
    decision: {
      effect: 'deny',
      reason: 'no-matching-rule',
      category: 'NspPublicOutboundPerimeterRulesDenied',
      trafficType: 'Public',
      perimeter: 'shop',
      profile: 'web',
      rule: null,
      accessMode: 'Enforced',
      enforcedEffect: 'deny',
    },
    advice: [
      {
        text: 'to let the name out, add to the accessRules of the profile `web` of the perimeter `shop`',
        yaml: [
          '- { name: to-unlisted.example, direction: Outbound, fullyQualifiedDomainNames: [unlisted.example] }',
        ],
      },
    ],
    stages: [
      { row: '1a', reason: 'locked-down', effect: 'deny', outcome: 'passed' },
      { row: '1b', reason: 'not-associated', outcome: 'passed' },
      { row: '2', reason: 'same-perimeter', outcome: 'passed' },
      { row: '3', reason: 'linked-perimeter', outcome: 'passed' },
      { row: '4', reason: 'access-rule', outcome: 'passed' },
      { row: '5a', reason: 'audit-mode', outcome: 'passed' },
      { row: '5b', reason: 'port-not-allowed', outcome: 'passed' },
      { row: '5b', reason: 'no-matching-rule', outcome: 'decided' },
      { row: '5c', reason: 'learning-mode', outcome: 'not-asked' },
    ],
    addresses: null,
  })
})

void t.test('runExplain: --json holds what the guard says of known addresses', async (t) => {
  const config = join(t.testdir(explainConfiguration), 'ringfence.yaml')
  const output = await explain({
    config,
    direction: 'outbound',
    resource: 'orders',
    destination: 'some.vault.example',
    json: true,
  })
  t.match(JSON.parse(output.replace(/exit 0\n$/, '')), {
    decision: { effect: 'allow' },
    addresses: [
      { address: '127.0.0.1', refused: 'own listener' },
      { address: '203.0.113.9', refused: 'documentation address' },
      { address: '93.184.216.34', refused: null },
    ],
  })
})

void t.test('runExplain: what the upstream proxy resolves is not known here', async (t) => {
  const { 'ringfence.yaml': settings } = explainConfiguration
  const upstreamProxy =
    'upstreamProxy: { url: "http://192.0.2.1:3128", noProxy: [granted.vault.example] }'
  const text = settings.replace('egress:\n', `egress:\n  ${upstreamProxy}\n`)
  t.not(text, settings)
  const config = join(
    t.testdir({ ...explainConfiguration, 'ringfence.yaml': text }),
    'ringfence.yaml',
  )
  for (const [name, addresses] of [
    ['some.vault.example', null],
    ['granted.vault.example', [{ address: '10.1.2.3' }, { address: '127.0.0.1' }]],
  ] as const) {
    const asked = { config, direction: 'outbound', resource: 'orders', destination: name }
    const output = await explain({ ...asked, json: true })
    t.match(JSON.parse(output.replace(/exit 0\n$/, '')), { addresses })
  }
})

async function unread(): Promise<undefined> {
  throw new Error('the configuration is not read')
}

async function explain(
  options: Omit<ExplainOptions, 'json' | 'out' | 'err'> & { readonly json?: boolean },
): Promise<string> {
  const printed: string[] = []
  const write = (text: string): unknown => printed.push(text)
  const exitCode = await runExplain({ json: false, ...options, out: write, err: write })
  return `${printed.join('')}exit ${exitCode}\n`
}

/** `inbound --resource orders …` as options. */
function readArguments([direction = '', ...flags]: readonly string[]) {
  const values = new Map<string, string>()
  for (let index = 0; index < flags.length; index += 2) {
    values.set(flags[index] ?? '', flags[index + 1] ?? '')
  }
  return {
    direction,
    resource: values.get('--resource'),
    source: values.get('--source'),
    subscription: values.get('--subscription'),
    perimeter: values.get('--perimeter'),
    destination: values.get('--destination'),
  }
}
