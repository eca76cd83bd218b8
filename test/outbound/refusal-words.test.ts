import t from 'tap'
import { parse } from 'yaml'
import {
  describeRefusal,
  sayingFor,
  sentenceForConnect,
  sentenceForTarget,
} from '../../src/outbound/refusal-words.ts'
import { decide } from '../../src/outbound/verdict.ts'
import { closeReasons, decisionReasons } from '../../src/reasons.ts'
import { messageOf } from '../../src/wire/refusal.ts'
import { buildInForce } from '../support/in-force.ts'
import { authority } from '../support/settings-parts.ts'
import { enforced } from './proxy-fixture.ts'

function refusalOf(destination: string, parts = enforced(443)): ReturnType<typeof describeRefusal> {
  const asked = { listener: 'egress', peer: undefined, destination: authority(destination) }
  const { decision } = decide(asked, buildInForce(parts))
  const { reason } = decision
  return describeRefusal({
    reason,
    decision,
    correlationId: 'id',
    destination: asked.destination,
  })
}

void t.test(
  'describeRefusal names destination, profile and the rule that would allow it',
  async (t) => {
    t.match(refusalOf('Other.Example.:443'), {
      reason: 'no-matching-rule',
      hint: {
        destination: 'other.example:443',
        profile: 'web',
        rule: '{ name: to-other.example, direction: Outbound, fullyQualifiedDomainNames: [other.example] }',
      },
    })
  },
)

void t.test('describeRefusal suggests no rule where none would help', async (t) => {
  for (const [destination, words] of [
    ['192.0.2.1:443', /by its name/],
    ['[2001:db8::1]:443', /by its name/],
    ['api.example:8443', /egress\.ports/],
  ] as const) {
    const refusal = refusalOf(destination)
    t.match(refusal.message ?? messageOf(refusal.reason), words, destination)
    t.equal(refusal.hint?.rule, undefined, destination)
    t.equal(refusal.hint?.destination, destination)
  }
  const alone = refusalOf('other.example:443', enforced(443, { perimeters: [] }))
  t.equal(alone.reason, 'locked-down')
  t.match(alone.message, /no perimeter/)
  t.equal(alone.hint?.rule, undefined)
})

void t.test('a suggested rule is YAML, and its name is one that a rule may have', async (t) => {
  for (const host of [
    `_dmarc.${'a'.repeat(60)}.example`,
    `${'a'.repeat(59)}.example`,
    // Cut right behind a dot.
    `${'a'.repeat(38)}.${'b'.repeat(37)}.example`,
    'null',
    'on',
    '1.e5',
    '_',
    'a_b.example',
    'xn--bcher-kva.example',
  ]) {
    const rule: unknown = parse(refusalOf(`${host}:443`).hint?.rule ?? '')
    t.match(rule, { direction: 'Outbound', fullyQualifiedDomainNames: [host] }, host)
    t.match(rule, { name: /^[a-z0-9]([a-z0-9_.-]{0,78}[a-z0-9_])?$/ }, host)
  }
})

void t.test('describeRefusal keeps no bytes of a client in its message', async (t) => {
  for (const reason of decisionReasons) {
    const { message } = describeRefusal({
      reason,
      correlationId: 'id',
      destination: authority('marker.example:443'),
    })
    t.notMatch(message ?? '', /marker/, reason)
  }
})

void t.test('sayingFor has words for every end', async (t) => {
  for (const closeReason of closeReasons) t.type(sayingFor(closeReason).reason, 'string')
  t.equal(sayingFor('body-idle-timeout').status, 408)
})

void t.test('sentenceForTarget helps whoever takes the proxy for something else', async (t) => {
  t.match(sentenceForTarget('/'), /not a web server/)
  t.match(sentenceForTarget('HTTPS://a.example/'), /CONNECT/)
  t.match(sentenceForTarget('ws://a.example/'), /CONNECT/)
  t.equal(sentenceForTarget('http://a.example:x/'), undefined)
  t.equal(sentenceForTarget('noise'), undefined)
})

void t.test('sentenceForConnect helps whoever leaves out the port', async (t) => {
  for (const target of ['api.example', '192.0.2.1', '[2001:db8::1]']) {
    t.match(sentenceForConnect(target), /CONNECT .*port/, target)
  }
  for (const target of ['api.example:443', 'api.example:0', 'https://api.example', 'a b', '']) {
    t.equal(sentenceForConnect(target), undefined, target)
  }
})

void t.test('describeRefusal: a rule alone does not open a port', async (t) => {
  const facts = {
    reason: 'no-matching-rule',
    correlationId: 'id',
    egressPorts: new Set([80, 443]),
  } as const
  const [on, off] = ['a.example:443', 'a.example:8080'].map((destination) =>
    describeRefusal({ ...facts, destination: authority(destination) }),
  )
  t.match(on?.message, /names this destination$/)
  t.match(off?.message, /, and its port is not one of egress\.ports$/)
})
