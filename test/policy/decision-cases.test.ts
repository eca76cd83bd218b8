import t from 'tap'
import { categories } from '../../src/perimeter/category.ts'
import { printDecision } from '../../src/cli/decision-keys.ts'
import { inboundStages } from '../../src/policy/evaluate-inbound.ts'
import { outboundStages } from '../../src/policy/evaluate-outbound.ts'
import {
  type DecisionCase,
  explainCase,
  protectedResource,
  readDecisionCases,
} from '../support/decision-cases.ts'

const cases = readDecisionCases()

for (const one of cases) {
  void t.test(`${one.name}: ${one.note}`, (t) => {
    const { effect, reason, rule, category, trafficType, enforcedEffect } = printDecision(
      explainCase(one).decision,
    )
    t.strictSame({ effect, reason, rule, category, trafficType, enforcedEffect }, one.want)
    t.ok(one.source.length > 0, 'has a source')
    t.end()
  })
}

void t.test('the decision cases cover every line of both tables', (t) => {
  const covered = new Set(
    cases.map((one) => {
      const { decision, stages } = explainCase(one)
      const row = stages.find(({ outcome }) => outcome === 'decided')?.row ?? 'none'
      return `${decision.direction} ${row} ${decision.reason} ${decision.effect}`
    }),
  )
  const lines = [
    ...inboundStages.map(({ row, reason, effect }) => `Inbound ${row} ${reason} ${effect}`),
    ...outboundStages.map(({ row, reason, effect }) => `Outbound ${row} ${reason} ${effect}`),
  ]
  t.strictSame(
    lines.filter((line) => !covered.has(line)),
    [],
  )
  t.end()
})

void t.test(
  'the decision cases cover every access mode with every publicNetworkAccess, with and without a rule',
  (t) => {
    const covered = new Set(
      cases
        .filter(({ given }) => given.resources !== undefined)
        .map((one) => {
          const { direction, reason } = explainCase(one).decision
          const { association, resource } = protectedResource(one)
          const mode = association?.accessMode ?? 'not associated'
          const access = resource?.publicNetworkAccess ?? 'absent'
          return `${direction}, ${mode}, ${access}, ${reason === 'access-rule' ? 'a rule' : 'no rule'}`
        }),
    )
    const missing: string[] = []
    for (const direction of ['Inbound', 'Outbound']) {
      for (const mode of ['not associated', 'Learning', 'Enforced', 'Audit']) {
        for (const access of ['absent', 'Enabled', 'Disabled', 'SecuredByPerimeter']) {
          for (const match of mode === 'not associated' ? ['no rule'] : ['no rule', 'a rule']) {
            const cell = `${direction}, ${mode}, ${access}, ${match}`
            if (!covered.has(cell)) missing.push(cell)
          }
        }
      }
    }
    t.strictSame(missing, [])
    t.end()
  },
)

void t.test(
  'the decision cases cover every category that a stage gives, which is all but one',
  (t) => {
    const wanted = new Set(cases.map(({ want }) => want.category))
    // Outbound, only a denial outside the stages is the resource's: see deny-outside-stages.test.ts.
    t.strictSame(
      categories.filter((category) => !wanted.has(category)),
      ['NspPublicOutboundResourceRulesDenied'],
    )
    t.end()
  },
)

/** What a case is about, for what no line of a table shows. Each must occur with the effect that is named. */
const subjects: readonly {
  readonly note: string
  readonly effects: readonly string[]
  readonly isOf: (one: DecisionCase) => boolean
}[] = [
  {
    note: 'a mapped source address',
    effects: ['allow', 'deny'],
    isOf: ({ request }) => ipOf(request).startsWith('::ffff:'),
  },
  {
    note: 'an IPv6 source address',
    effects: ['allow', 'deny'],
    isOf: ({ request }) => ipOf(request).startsWith('2001:'),
  },
  {
    note: 'no source address',
    effects: ['allow', 'deny'],
    isOf: ({ request }) => request.source !== undefined && request.source.ip === undefined,
  },
  {
    note: 'the apex of a wildcard',
    effects: ['allow', 'deny'],
    isOf: (one) => namesOf(one).includes(`*.${one.request.destination?.fqdn ?? ''}`),
  },
  {
    note: 'below a wildcard',
    effects: ['allow', 'deny'],
    isOf: (one) =>
      namesOf(one).some(
        (name) =>
          name.startsWith('*') && one.request.destination?.fqdn.endsWith(name.slice(1)) === true,
      ),
  },
  {
    note: 'an address literal as destination',
    effects: ['allow', 'deny'],
    isOf: ({ request }) => /^[[0-9]/.test(request.destination?.fqdn ?? ''),
  },
  {
    note: 'a port that is no egress port',
    effects: ['allow', 'deny'],
    isOf: ({ request, given }) =>
      request.destination !== undefined &&
      !(given.egressPorts ?? [80, 443]).includes(request.destination.port),
  },
  {
    note: 'an empty list of egress ports',
    effects: ['deny'],
    isOf: ({ given }) => given.egressPorts?.length === 0,
  },
  {
    note: 'a profile without rules, inbound',
    effects: ['deny'],
    isOf: (one) => one.request.direction === 'Inbound' && one.name.endsWith('empty-profile'),
  },
  {
    note: 'a profile without rules, outbound',
    effects: ['deny'],
    isOf: (one) => one.request.direction === 'Outbound' && one.name.endsWith('empty-profile'),
  },
  {
    note: 'a rule without elements',
    effects: ['deny'],
    isOf: ({ name }) => name.endsWith('empty-rule'),
  },
  {
    note: 'a firewall',
    effects: ['allow', 'deny'],
    isOf: ({ given }) => given.resources?.some(({ firewall }) => firewall !== undefined) === true,
  },
]

void t.test(
  'the decision cases cover addresses, names, ports and empty lists with both effects',
  (t) => {
    for (const { note, effects, isOf } of subjects) {
      const found = cases.filter(isOf).map(({ want }) => want.effect)
      for (const effect of effects) t.ok(found.includes(effect), `${note}: ${effect}`)
    }
    t.end()
  },
)

void t.test('the decision cases cover links in every state of consent, in both directions', (t) => {
  const covered = new Set(
    cases
      .filter(({ given }) => given.perimeters?.some(({ links }) => links !== undefined))
      .map(({ given, request, want }) => {
        const references = given.perimeters?.flatMap(({ linkReferences }) => linkReferences ?? [])
        const status = references?.[0]?.status ?? 'absent'
        const automatic = given.autoApprove === undefined ? 'not auto-approved' : 'auto-approved'
        return `${request.direction}, ${status}, ${automatic}, ${want.effect}`
      }),
  )
  const missing: string[] = []
  for (const direction of ['Inbound', 'Outbound']) {
    const states = [
      'Approved, not auto-approved, allow',
      'Approved, auto-approved, deny',
      'Approved, auto-approved, allow',
      'Pending, not auto-approved, deny',
      'Pending, auto-approved, allow',
      'Rejected, not auto-approved, deny',
      'Disconnected, not auto-approved, deny',
      'absent, not auto-approved, deny',
      'absent, auto-approved, allow',
    ]
    for (const state of states) {
      if (!covered.has(`${direction}, ${state}`)) missing.push(`${direction}, ${state}`)
    }
  }
  t.strictSame(missing, [])
  t.end()
})

function ipOf(request: DecisionCase['request']): string {
  return request.source?.ip ?? ''
}

function namesOf({ given }: DecisionCase): readonly string[] {
  return (given.perimeters ?? []).flatMap(({ profiles }) =>
    (profiles ?? []).flatMap(({ accessRules }) =>
      (accessRules ?? []).flatMap((rule) => rule.fullyQualifiedDomainNames ?? []),
    ),
  )
}
