import { join } from 'node:path'
import t from 'tap'
import { runDecide } from '../../src/cli/commands/decide.ts'
import { compilePolicy } from '../support/compile-policy.ts'
import { explainConfiguration } from '../support/explain-configuration.ts'
import { readDecisionCases } from '../support/decision-cases.ts'
import { buildPolicyInput, serviceId } from '../support/policy-builder.ts'

interface Ran {
  readonly exitCode: number
  readonly lines: readonly string[]
}

async function decide(config: string, chunks: readonly (string | Uint8Array)[]): Promise<Ran> {
  let printed = ''
  const write = (text: string): void => {
    printed += text
  }
  const exitCode = await runDecide({ config, input: inChunks(chunks), out: write, err: write })
  return { exitCode, lines: printed.split('\n').slice(0, -1) }
}

async function* inChunks(chunks: readonly (string | Uint8Array)[]) {
  for (const chunk of chunks) yield chunk
}

function configurationOf(t: { testdir(content: typeof explainConfiguration): string }): string {
  return join(t.testdir(explainConfiguration), 'ringfence.yaml')
}

void t.test(
  'runDecide: one decision a line, with exactly the documented keys in their order',
  async (t) => {
    const { exitCode, lines } = await decide(configurationOf(t), [
      '{"direction":"Inbound","resource":"orders","network":"public","source":{"ip":"203.0.113.9","subscriptions":[],"perimeters":[]}}\n',
      '{"direction":"Outbound","resource":"orders","destination":{"fqdn":"unlisted.example","port":443}}\n',
      '{"direction":"Outbound","resource":"closed","destination":{"fqdn":"unlisted.example","port":443}}',
    ])
    t.equal(exitCode, 0)
    t.strictSame(lines, [
      '{"effect":"allow","reason":"access-rule","category":"NspPublicInboundPerimeterRulesAllowed","trafficType":"Public","perimeter":"shop","profile":"web","rule":"office","accessMode":"Enforced","enforcedEffect":"allow"}',
      '{"effect":"deny","reason":"no-matching-rule","category":"NspPublicOutboundPerimeterRulesDenied","trafficType":"Public","perimeter":"shop","profile":"web","rule":null,"accessMode":"Enforced","enforcedEffect":"deny"}',
      '{"effect":"allow","reason":"not-associated","category":"NspPublicOutboundResourceRulesAllowed","trafficType":"Public","perimeter":null,"profile":null,"rule":null,"accessMode":null,"enforcedEffect":"allow"}',
    ])
  },
)

void t.test('runDecide: a resource that nobody knows is denied', async (t) => {
  const { exitCode, lines } = await decide(configurationOf(t), [
    '{"direction":"Inbound","resource":"nobody","source":{"ip":"203.0.113.9"}}\n',
  ])
  t.equal(exitCode, 0)
  t.strictSame(lines, [
    '{"effect":"deny","reason":"unknown-resource","category":null,"trafficType":null,"perimeter":null,"profile":null,"rule":null,"accessMode":null,"enforcedEffect":"deny"}',
  ])
})

const bad: readonly { note: string; line: string; error: RegExp }[] = [
  { note: 'no JSON', line: '{', error: /^line 1: the line is not JSON$/ },
  { note: 'no object', line: '[]', error: /the question must be an object/ },
  { note: 'null', line: 'null', error: /the question must be an object/ },
  {
    note: 'no direction',
    line: '{"resource":"orders"}',
    error: /`direction` must be `Inbound` or `Outbound`/,
  },
  {
    note: 'a direction in lower case',
    line: '{"direction":"inbound"}',
    error: /`direction` must be/,
  },
  {
    note: 'an unknown key',
    line: '{"direction":"Inbound","resource":"orders","source":{},"x":1}',
    error: /unknown key `x`/,
  },
  {
    note: 'a key of the other direction',
    line: '{"direction":"Outbound","resource":"orders","source":{}}',
    error: /unknown key `source`/,
  },
  {
    note: 'an unknown key of the source',
    line: '{"direction":"Inbound","resource":"orders","source":{"IP":"10.0.0.1"}}',
    error: /unknown key `IP`/,
  },
  {
    note: 'an unknown key of the destination',
    line: '{"direction":"Outbound","resource":"orders","destination":{"fqdn":"a.example","port":1,"host":"b"}}',
    error: /unknown key `host`/,
  },
  {
    note: 'no source',
    line: '{"direction":"Inbound","resource":"orders"}',
    error: /`source` must be an object/,
  },
  {
    note: 'no resource',
    line: '{"direction":"Inbound","source":{}}',
    error: /`resource` must be text/,
  },
  {
    note: 'an unclear resource',
    line: '{"direction":"Inbound","resource":"/orders","source":{}}',
    error: /is not a resource id/,
  },
  {
    note: 'another network',
    line: '{"direction":"Inbound","resource":"orders","network":"vpn","source":{}}',
    error: /`network` must be/,
  },
  {
    note: 'an address that is none',
    line: '{"direction":"Inbound","resource":"orders","source":{"ip":"010.0.0.1"}}',
    error: /`010.0.0.1` is no IP address/,
  },
  {
    note: 'subscriptions that are no list',
    line: '{"direction":"Inbound","resource":"orders","source":{"subscriptions":"x"}}',
    error: /`source.subscriptions` must be a list of GUIDs/,
  },
  {
    note: 'a perimeter that is no GUID',
    line: '{"direction":"Inbound","resource":"orders","source":{"perimeters":["shop"]}}',
    error: /`source.perimeters` must be a list of GUIDs/,
  },
  {
    note: 'no destination',
    line: '{"direction":"Outbound","resource":"orders"}',
    error: /`destination` must be an object/,
  },
  {
    note: 'a name that is none',
    line: '{"direction":"Outbound","resource":"orders","destination":{"fqdn":"a b","port":443}}',
    error: /`a b` is no host name/,
  },
  {
    note: 'no port',
    line: '{"direction":"Outbound","resource":"orders","destination":{"fqdn":"a.example"}}',
    error: /`destination.port` must be a whole number/,
  },
  {
    note: 'a port as text',
    line: '{"direction":"Outbound","resource":"orders","destination":{"fqdn":"a.example","port":"443"}}',
    error: /`destination.port`/,
  },
  {
    note: 'a port too high',
    line: '{"direction":"Outbound","resource":"orders","destination":{"fqdn":"a.example","port":65536}}',
    error: /`destination.port`/,
  },
  {
    note: 'a port with a fraction',
    line: '{"direction":"Outbound","resource":"orders","destination":{"fqdn":"a.example","port":1.5}}',
    error: /`destination.port`/,
  },
  {
    note: 'a key that acts on a terminal',
    line: '{"direction":"Inbound","resource":"orders","source":{},"\\u001b[2J":1}',
    error: /unknown key `\\u001b\[2J`/,
  },
]
void t.test(
  'runDecide: a bad line is told, the next is decided, and the exit code is 1',
  async (t) => {
    const config = configurationOf(t)
    const good = '{"direction":"Inbound","resource":"orders","source":{"ip":"203.0.113.9"}}'
    for (const { note, line, error } of bad) {
      const { exitCode, lines } = await decide(config, [`${line}\n${good}\n`])
      t.equal(exitCode, 1, note)
      t.equal(lines.length, 2, note)
      const told: { error: string } = JSON.parse(lines[0] ?? '{}')
      t.strictSame(Object.keys(told), ['error'], note)
      t.match(told.error, error, note)
      t.match(lines[1], /"effect":"allow"/, note)
    }
  },
)

void t.test(
  'runDecide: lines are put together from chunks, blank ones are passed over and counted',
  async (t) => {
    const question =
      '{"direction":"Outbound","resource":"orders","destination":{"fqdn":"api.stripe.com","port":443}}'
    const bytes = Buffer.from(`\n \r\n${question}\r\n{"ü":`)
    const chunks = [...bytes].map((byte) => Uint8Array.of(byte))
    const { exitCode, lines } = await decide(configurationOf(t), chunks)
    t.equal(exitCode, 1)
    t.equal(lines.length, 2)
    t.match(lines[0], /"reason":"access-rule"/)
    t.equal(lines[1], '{"error":"line 4: the line is not JSON"}')
  },
)

void t.test('runDecide: a line without end takes no memory, and the next is decided', async (t) => {
  const question =
    '{"direction":"Outbound","resource":"orders","destination":{"fqdn":"api.stripe.com","port":443}}'
  const chunks = [...Array.from({ length: 64 }, () => 'x'.repeat(4096)), `\n${question}\n`]
  const { exitCode, lines } = await decide(configurationOf(t), chunks)
  t.equal(exitCode, 1)
  t.equal(lines[0], '{"error":"line 1: a question has at most 65536 bytes"}')
  t.match(lines[1], /"reason":"access-rule"/)
})

void t.test('runDecide: a broken configuration is told before anything is read', async (t) => {
  const config = join(t.testdir({ 'ringfence.yaml': 'policy: {}\n' }), 'ringfence.yaml')
  const { exitCode, lines } = await decide(config, ['{}\n'])
  t.equal(exitCode, 1)
  t.match(lines[0], /ringfence\.yaml:1:\d+: error: /)
  t.notMatch(lines.join('\n'), /"error"/)
})

void t.test('runDecide: no settings file is wrong usage', async (t) => {
  t.match(await decide('', []), { exitCode: 2, lines: [/--config FILE/] })
})

void t.test('runDecide: answers the decision cases as they want it', async (t) => {
  for (const { name, given, request, want } of readDecisionCases()) {
    let printed = ''
    const exitCode = await runDecide({
      config: name,
      input: inChunks([JSON.stringify({ ...request, resource: serviceId(request.resource).text })]),
      out: (text) => (printed += text),
      err: (text) => (printed += text),
      load: async () => ({ snapshot: compilePolicy(buildPolicyInput(given)) }),
    })
    t.equal(exitCode, 0, name)
    t.match(JSON.parse(printed), want, name)
  }
})
