import fc from 'fast-check'
import t from 'tap'
import { compilePolicy } from '../support/compile-policy.ts'
import { beginArena, createArenaBuffer } from '../../src/policy/arena.ts'
import { compilePolicy as compileTables } from '../../src/policy/compile-policy.ts'
import { openPolicy } from '../../src/policy/open-policy.ts'
import { inboundStages } from '../../src/policy/evaluate-inbound.ts'
import { outboundStages } from '../../src/policy/evaluate-outbound.ts'
import {
  buildPolicyInput,
  type GivenPolicy,
  type GivenRule,
  serviceId,
} from '../support/policy-builder.ts'
import {
  decide,
  decideUnder,
  policyArbitrary,
  requestArbitrary,
  ruleArbitrary,
  toReference,
} from './policy-arbitrary.ts'
import { decideByReference } from './reference-evaluator.ts'

const policies = 5000
const requestsPerPolicy = 6
const agreedAtLeast = 20_000

void t.test('the compiled policy decides as the naive reading of the design does', (t) => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  const seen = new Map<string, number>()
  let agreed = 0
  let epoch = 0
  const buffer = createArenaBuffer()
  const requests = fc.array(requestArbitrary, {
    minLength: requestsPerPolicy,
    maxLength: requestsPerPolicy,
  })
  fc.assert(
    fc.property(policyArbitrary, requests, (given, drawn) => {
      const input = buildPolicyInput(given)
      // One arena for all of them, as for the reloads of a process, and a clone, as for another thread.
      const arena = beginArena(buffer, ++epoch)
      const snapshot = openPolicy(structuredClone(compileTables(input, arena)))
      arena.finish()
      for (const request of drawn) {
        const decision = decide(snapshot, request)
        // Only a resource that neither settings nor a perimeter know is unknown.
        if (decision === undefined) {
          if (request.resource !== 'r3' || isAssociated(given, 'r3')) throw new Error('unknown')
          continue
        }
        const { effect, reason, rule, category, trafficType, enforcedEffect } = decision
        const got = { effect, reason, rule, category, trafficType, enforcedEffect }
        const want = decideByReference(input, toReference(request))
        for (const key of [
          'effect',
          'reason',
          'rule',
          'category',
          'trafficType',
          'enforcedEffect',
        ] as const) {
          if (got[key] !== want[key]) {
            throw new Error(`${key}: ${JSON.stringify({ request, got, want })}`)
          }
        }
        const kind = `${request.direction} ${reason} ${effect}`
        seen.set(kind, (seen.get(kind) ?? 0) + 1)
        agreed++
      }
    }),
    { seed, numRuns: policies },
  )
  t.ok(agreed >= agreedAtLeast, `${agreed} decisions agree`)
  const kinds = [
    ...inboundStages.map(({ reason, effect }) => `Inbound ${reason} ${effect}`),
    ...outboundStages.map(({ reason, effect }) => `Outbound ${reason} ${effect}`),
  ]
  for (const kind of new Set(kinds)) t.ok((seen.get(kind) ?? 0) >= 20, `often enough: ${kind}`)
  t.end()
})

void t.test('adding a rule never denies what was allowed', (t) => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  const place = fc.record({
    perimeter: fc.nat(1),
    profile: fc.nat(1),
    at: fc.nat(4),
    rule: ruleArbitrary,
  })
  fc.assert(
    fc.property(
      policyArbitrary,
      requestArbitrary,
      place,
      (given, request, { rule, at, ...where }) => {
        const before = decideUnder(buildPolicyInput(given), request)
        const widened = mapRules(given, (rules, perimeter, profile) =>
          perimeter === where.perimeter && profile === where.profile
            ? rules.toSpliced(at, 0, rule)
            : rules,
        )
        const after = decideUnder(buildPolicyInput(widened), request)
        return before?.effect !== 'allow' || after?.effect === 'allow'
      },
    ),
    { seed, numRuns: 1000 },
  )
  t.pass('holds')
  t.end()
})

void t.test('the order of rules never changes the effect', (t) => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  fc.assert(
    fc.property(policyArbitrary, requestArbitrary, (given, request) => {
      const before = decideUnder(buildPolicyInput(given), request)
      const turned = mapRules(given, (rules) => rules.toReversed())
      const after = decideUnder(buildPolicyInput(turned), request)
      return before?.effect === after?.effect && before?.reason === after?.reason
    }),
    { seed, numRuns: 1000 },
  )
  t.pass('holds')
  t.end()
})

void t.test(
  'outbound reaches by a link exactly what inbound would let in by it on the other side',
  (t) => {
    const seed = Date.now()
    t.comment(`seed ${seed}`)
    let linked = 0
    const pair = fc.tuple(fc.constantFrom('r0', 'r1', 'r2'), fc.constantFrom('r0', 'r1', 'r2'))
    fc.assert(
      fc.property(policyArbitrary, pair, (given, [from, to]) => {
        const snapshot = compilePolicy(buildPolicyInput(given))
        const perimeter = snapshot.resources.get(serviceId(from).key)?.association?.perimeter.guid
        if (perimeter === undefined) return true
        const out = decide(snapshot, {
          direction: 'Outbound',
          resource: from,
          host: `${to}.example`,
          port: 443,
        })
        const caller = { ip: undefined, subscriptions: [], perimeters: [perimeter] }
        const into = decide(snapshot, {
          direction: 'Inbound',
          resource: to,
          network: 'public',
          ...caller,
        })
        if (out?.reason === 'linked-perimeter') linked++
        const both = ['linked-perimeter', 'same-perimeter'] as const
        return both.every((reason) => (out?.reason === reason) === (into?.reason === reason))
      }),
      { seed, numRuns: 1500 },
    )
    t.ok(linked >= 20, `${linked} times by a link`)
    t.end()
  },
)

function isAssociated(given: GivenPolicy, resource: string): boolean {
  return (given.perimeters ?? []).some((perimeter) =>
    (perimeter.resourceAssociations ?? []).some((one) => serviceId(one.resource).name === resource),
  )
}

function mapRules(
  given: GivenPolicy,
  change: (rules: readonly GivenRule[], perimeter: number, profile: number) => readonly GivenRule[],
): GivenPolicy {
  return {
    ...given,
    perimeters: (given.perimeters ?? []).map((perimeter, number) => ({
      ...perimeter,
      profiles: (perimeter.profiles ?? []).map((profile, index) => ({
        ...profile,
        accessRules: change(profile.accessRules ?? [], number, index),
      })),
    })),
  }
}
