import t from 'tap'
import { evaluateOutbound } from '../../src/policy/evaluate-outbound.ts'
import { judgeOpening, type TlsLeniency } from '../../src/policy/judge-opening.ts'
import type { AccessMode } from '../../src/perimeter/perimeter.ts'
import type { PublicNetworkAccess } from '../../src/perimeter/resource.ts'
import type { ClientHello } from '../../src/wire/client-hello.ts'
import { buildInForce } from '../support/in-force.ts'
import { authority, hostname, resourceId } from '../support/settings-parts.ts'

const defaults: TlsLeniency = {
  absent: 'deny',
  several: 'deny',
  unreadable: 'deny',
  encrypted: 'log',
  notTls: 'deny',
}

interface Asking {
  readonly mode?: AccessMode | undefined
  readonly access?: PublicNetworkAccess
  readonly destination?: string
  readonly leniency?: Partial<TlsLeniency>
}

/** `deny reason`, `allow reason (Enforced: deny)`, or undefined for nothing to say. */
function judge(hello: ClientHello, asking: Asking = {}): string | undefined {
  const { access, destination: text = 'api.example:443', leniency } = asking
  const mode = 'mode' in asking ? asking.mode : 'Enforced'
  const associations = mode === undefined ? [] : [{ resource: 'orders', accessMode: mode }]
  const rules = [{ name: 'api', fullyQualifiedDomainNames: ['api.example'] }]
  const { snapshot } = buildInForce({
    resources: [{ id: 'orders', ...(access === undefined ? {} : { publicNetworkAccess: access }) }],
    perimeters: [{ name: 'shop', profiles: [{ name: 'web', accessRules: rules }], associations }],
    egress: { ports: [443, 8443] },
  })
  const resource = snapshot.resources.get(resourceId('orders').key)
  if (resource === undefined) throw new Error('no resource')
  const destination = authority(text)
  const decision = evaluateOutbound(snapshot, { resource, destination })
  const judged = judgeOpening(hello, {
    decision,
    destination,
    leniency: { ...defaults, ...leniency },
  })
  if (judged === undefined) return undefined
  const { effect, reason, enforcedEffect } = judged
  t.equal(judged.resource, resource)
  if (effect === 'allow') t.equal(judged.category, decision.category, 'the same way out')
  else t.equal(judged.category, 'NspPublicOutboundPerimeterRulesDenied')
  return `${effect} ${reason} (Enforced: ${enforcedEffect})`
}

const name = (text: string): ClientHello => ({ kind: 'name', name: hostname(text) })
const encrypted = (text?: string): ClientHello => ({
  kind: 'encrypted',
  outer: text === undefined ? undefined : hostname(text),
})

void t.test('judgeOpening lets an Enforced resource go on to the decided name alone', async (t) => {
  const cases: readonly { note: string; hello: ClientHello; want: string | undefined }[] = [
    { note: 'the decided name', hello: name('API.example'), want: undefined },
    { note: 'another', hello: name('evil.example'), want: 'deny name-mismatch (Enforced: deny)' },
    {
      note: 'one below it',
      hello: name('x.api.example'),
      want: 'deny name-mismatch (Enforced: deny)',
    },
    { note: 'none', hello: { kind: 'absent' }, want: 'deny tls-name-absent (Enforced: deny)' },
    { note: 'two', hello: { kind: 'several' }, want: 'deny tls-names-several (Enforced: deny)' },
    { note: 'broken', hello: { kind: 'unreadable' }, want: 'deny tls-unreadable (Enforced: deny)' },
    { note: 'no TLS', hello: { kind: 'not-tls' }, want: 'deny not-tls (Enforced: deny)' },
    {
      note: 'ECH, or GREASE',
      hello: encrypted('api.example'),
      want: 'allow tls-encrypted (Enforced: allow)',
    },
    {
      note: 'ECH behind another name',
      hello: encrypted('front.example'),
      want: 'deny tls-encrypted (Enforced: deny)',
    },
    { note: 'ECH behind no name', hello: encrypted(), want: 'deny tls-encrypted (Enforced: deny)' },
  ]
  for (const { note, hello, want } of cases) t.equal(judge(hello), want, note)
})

void t.test('judgeOpening does what settings say, but never lets another name pass', async (t) => {
  const hellos = [
    ['absent', { kind: 'absent' }, 'tls-name-absent'],
    ['several', { kind: 'several' }, 'tls-names-several'],
    ['unreadable', { kind: 'unreadable' }, 'tls-unreadable'],
    ['encrypted', encrypted('api.example'), 'tls-encrypted'],
    ['notTls', { kind: 'not-tls' }, 'not-tls'],
  ] as const
  for (const [key, hello, reason] of hellos) {
    t.equal(judge(hello, { leniency: { [key]: 'allow' } }), undefined, `${key}: allow`)
    t.equal(
      judge(hello, { leniency: { [key]: 'log' } }),
      `allow ${reason} (Enforced: allow)`,
      `${key}: log`,
    )
    t.equal(
      judge(hello, { leniency: { [key]: 'deny' } }),
      `deny ${reason} (Enforced: deny)`,
      `${key}: deny`,
    )
  }
  const open: TlsLeniency = {
    absent: 'allow',
    several: 'allow',
    unreadable: 'allow',
    encrypted: 'allow',
    notTls: 'allow',
  }
  t.equal(judge(name('evil.example'), { leniency: open }), 'deny name-mismatch (Enforced: deny)')
  t.equal(
    judge(encrypted('evil.example'), { leniency: open }),
    'deny tls-encrypted (Enforced: deny)',
  )
})

void t.test('judgeOpening only logs where Enforced would deny and is not', async (t) => {
  const absent: ClientHello = { kind: 'absent' }
  const cases: readonly { note: string; asking: Asking; want: string | undefined }[] = [
    {
      note: 'Learning',
      asking: { mode: 'Learning' },
      want: 'allow tls-name-absent (Enforced: deny)',
    },
    { note: 'Audit', asking: { mode: 'Audit' }, want: 'allow tls-name-absent (Enforced: deny)' },
    {
      note: 'Learning, let pass',
      asking: { mode: 'Learning', leniency: { absent: 'allow' } },
      want: undefined,
    },
    { note: 'no perimeter', asking: { mode: undefined, access: 'Enabled' }, want: undefined },
    {
      note: 'to an address',
      asking: { mode: 'Learning', destination: '192.0.2.1:443' },
      want: undefined,
    },
  ]
  for (const { note, asking, want } of cases) t.equal(judge(absent, asking), want, note)
  const mismatch = judge(name('evil.example'), { mode: 'Learning' })
  t.equal(mismatch, 'allow name-mismatch (Enforced: deny)')
})

void t.test('judgeOpening asks for TLS on port 443 only', async (t) => {
  const destination = 'api.example:8443'
  t.equal(judge({ kind: 'not-tls' }, { destination }), undefined)
  t.equal(judge(name('evil.example'), { destination }), 'deny name-mismatch (Enforced: deny)')
  t.equal(judge({ kind: 'absent' }, { destination }), 'deny tls-name-absent (Enforced: deny)')
})

void t.test(
  'judgeOpening holds a resource that its perimeter alone secures as Enforced',
  async (t) => {
    const asking: Asking = { mode: 'Learning', access: 'SecuredByPerimeter' }
    const associated = judgeSecured(asking)
    t.match(associated, /^deny tls-name-absent/)
  },
)

function judgeSecured({ mode, access }: Asking): string {
  const rules = [{ name: 'api', fullyQualifiedDomainNames: ['api.example'] }]
  const { snapshot } = buildInForce({
    resources: [{ id: 'orders', publicNetworkAccess: access ?? 'Enabled' }],
    perimeters: [
      {
        name: 'shop',
        profiles: [{ name: 'web', accessRules: rules }],
        associations: [{ resource: 'orders', accessMode: mode ?? 'Learning' }],
      },
    ],
  })
  const resource = snapshot.resources.get(resourceId('orders').key)
  if (resource === undefined) throw new Error('no resource')
  const destination = authority('api.example:443')
  const decision = evaluateOutbound(snapshot, { resource, destination })
  const judged = judgeOpening({ kind: 'absent' }, { decision, destination, leniency: defaults })
  return `${judged?.effect} ${judged?.reason}`
}
