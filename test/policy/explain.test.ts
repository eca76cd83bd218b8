import t from 'tap'
import { parse } from 'yaml'
import { compilePolicy } from '../support/compile-policy.ts'
import type { Explanation } from '../../src/policy/explain.ts'
import { type DecisionCase, explainCase, readDecisionCases } from '../support/decision-cases.ts'
import { buildPolicyInput, type GivenPolicy, type GivenRule } from '../support/policy-builder.ts'

const cases = readDecisionCases()

void t.test(
  'explainInbound and explainOutbound: one stage decides, all before it passed, none after it is asked',
  (t) => {
    for (const one of cases) {
      const { stages, decision } = explainCase(one)
      const at = stages.findIndex(({ outcome }) => outcome === 'decided')
      const outcomes = stages.map(({ outcome }) => outcome)
      const expected = stages.map((_, index) =>
        index < at ? 'passed' : index === at ? 'decided' : 'not-asked',
      )
      t.strictSame(outcomes, expected, one.name)
      t.match(stages[at], { reason: decision.reason, effect: decision.effect }, one.name)
      t.ok(
        stages.every(
          ({ because, outcome }) => (because === undefined) === (outcome === 'not-asked'),
        ),
      )
    }
    t.end()
  },
)

void t.test(
  'explainInbound and explainOutbound: there is advice exactly where Enforced mode would deny',
  (t) => {
    for (const one of cases) {
      const { advice, decision } = explainCase(one)
      // Nothing is known of a caller without address, subscription and perimeter: no rule could name it.
      const isNobody = JSON.stringify(one.request.source) === '{}'
      if (isNobody) continue
      t.equal(advice.length > 0, decision.enforcedEffect === 'deny', one.name)
    }
    t.end()
  },
)

void t.test(
  'explainInbound and explainOutbound: whoever adds the rule that is advised is let through by it',
  (t) => {
    let tried = 0
    for (const one of cases) {
      const rule = advisedRule(explainCase(one))
      if (rule === undefined) continue
      const ports = [...(one.given.egressPorts ?? [80, 443])]
      const port = one.request.destination?.port
      if (port !== undefined && !ports.includes(port)) ports.push(port)
      const followed = {
        ...one,
        given: withRule({ ...one.given, egressPorts: ports }, { rule, one }),
      }
      t.match(
        explainCase(followed).decision,
        { effect: 'allow', reason: 'access-rule', rule: rule.name, enforcedEffect: 'allow' },
        one.name,
      )
      tried++
    }
    t.ok(tried > 50, `${tried} rules were tried`)
    t.end()
  },
)

void t.test('explainInbound: whoever consents as advised lets the linked perimeter in', (t) => {
  const one = cases.find(({ name }) => name === 'inbound/links/no-reference-into-linked')
  if (one === undefined) throw new Error('the case is there')
  const advice = explainCase(one).advice.find(({ text }) => text.includes('consent'))
  t.match(parse((advice?.yaml ?? []).join('\n')), {
    linkReferences: [{ localInboundProfiles: ['web'], status: 'Approved' }],
  })
  const given: GivenPolicy = {
    ...one.given,
    perimeters: (one.given.perimeters ?? []).map((perimeter) =>
      perimeter.name === 'billing'
        ? {
            ...perimeter,
            linkReferences: [{ from: 'shop', localInboundProfiles: ['web'], status: 'Approved' }],
          }
        : perimeter,
    ),
  }
  t.equal(explainCase({ ...one, given }).decision.reason, 'linked-perimeter')
  t.end()
})

void t.test('explainInbound: advice about a link says what is missing', (t) => {
  const advice = (name: string): string => {
    const one = cases.find((other) => other.name === name)
    if (one === undefined) throw new Error(`the case ${name} is there`)
    return explainCase(one)
      .advice.map(({ text }) => text)
      .join('\n')
  }
  t.match(
    advice('inbound/same-perimeter/other-perimeter'),
    /link the two: one side links, the other consents/,
  )
  t.match(
    advice('inbound/links/no-reference-into-linked'),
    /`shop` links to `billing` already: consent in the perimeter `billing`/,
  )
  t.match(
    advice('inbound/links/no-reference-into-linking'),
    /`shop` links to `billing` already: it must name the profile `web`/,
  )
  t.end()
})

/** The first rule that the advice would add. */
function advisedRule({ advice }: Explanation): GivenRule | undefined {
  for (const { yaml } of advice) {
    if (yaml[0]?.startsWith('- { name: ') !== true) continue
    const [rule]: readonly (GivenRule & { subscriptions?: readonly { id: string }[] })[] = parse(
      yaml.join('\n'),
    )
    if (rule === undefined || rule.subscriptions === undefined) return rule
  }
  return undefined
}

function withRule(
  given: GivenPolicy,
  { rule, one }: { readonly rule: GivenRule; readonly one: DecisionCase },
): GivenPolicy {
  const snapshot = compilePolicy(buildPolicyInput(given))
  const { resource } = explainCase(one).decision
  const association = snapshot.resources.get(resource?.id.key ?? '')?.association
  return {
    ...given,
    perimeters: (given.perimeters ?? []).map((perimeter) => ({
      ...perimeter,
      profiles: (perimeter.profiles ?? []).map((profile) =>
        perimeter.name === association?.perimeter.perimeter.name &&
        profile.name === association.profile.name
          ? { ...profile, accessRules: [...(profile.accessRules ?? []), rule] }
          : profile,
      ),
    })),
  }
}
