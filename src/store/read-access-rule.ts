import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import type { Checked } from '../perimeter/checked.ts'
import type { AccessRule, Direction } from '../perimeter/perimeter.ts'
import { validateFqdn } from '../perimeter/validate-fqdn.ts'
import { validatePrefix } from '../perimeter/validate-prefix.ts'
import { validateSubscriptionId } from '../perimeter/validate-subscription.ts'
import type { AccessRuleValue } from './schema.ts'

export interface RuleContext {
  readonly path: Path
  readonly findings: Findings
  /** Other tools print rules of several kinds or none: there they load with a warning, in native files they are errors. */
  readonly lenient: boolean
}

type ElementKind = 'addressPrefixes' | 'subscriptions' | 'fullyQualifiedDomainNames'

/** Which way each kind of element works (NSP REST specification). */
const directions = {
  addressPrefixes: 'Inbound',
  subscriptions: 'Inbound',
  fullyQualifiedDomainNames: 'Outbound',
} as const satisfies Record<ElementKind, Direction>

const elementKinds: readonly ElementKind[] = [
  'addressPrefixes',
  'subscriptions',
  'fullyQualifiedDomainNames',
]

/** Reads one access rule. What is wrong is reported and left out. */
export function readAccessRule(value: AccessRuleValue, context: RuleContext): AccessRule {
  checkKinds(value, context)
  return {
    name: value.name,
    direction: value.direction,
    addressPrefixes: readElements(value, {
      ...context,
      kind: 'addressPrefixes',
      read: validatePrefix,
    }),
    subscriptions: readElements(value, {
      ...context,
      kind: 'subscriptions',
      read: ({ id }) => validateSubscriptionId(id),
    }),
    fullyQualifiedDomainNames: readElements(value, {
      ...context,
      kind: 'fullyQualifiedDomainNames',
      read: validateFqdn,
    }),
  }
}

function checkKinds(value: AccessRuleValue, { path, findings, lenient }: RuleContext): void {
  const severity = lenient ? 'warning' : 'error'
  const kinds = elementKinds.filter((kind) => (value[kind]?.length ?? 0) > 0)
  for (const kind of kinds) {
    if (directions[kind] === value.direction) continue
    findings[severity](
      [...path, kind],
      `\`${kind}\` belong to ${directions[kind].toLowerCase()} rules and never match in an ${value.direction.toLowerCase()} one`,
      'key',
    )
  }
  if (kinds.length === 0) {
    findings[severity](path, 'the rule has no element and never matches; list what it allows')
  }
  if (kinds.length > 1) {
    const advice = lenient ? 'any of them matches' : 'write one rule for each'
    findings[severity](path, `the rule has more than one kind of element; ${advice}`)
  }
}

/** Elements of the other direction are left out, so that nothing that was not meant can ever match. */
function readElements<K extends ElementKind, R>(
  value: AccessRuleValue,
  context: RuleContext & {
    readonly kind: K
    readonly read: (element: NonNullable<AccessRuleValue[K]>[number]) => Checked<R>
  },
): readonly R[] {
  const { kind, path, findings, read } = context
  const results: R[] = []
  for (const [index, element] of (value[kind] ?? []).entries()) {
    const checked = read(element)
    if (checked.kind === 'invalid') findings.error([...path, kind, index], checked.message)
    else if (directions[kind] === value.direction) results.push(checked.value)
  }
  return results
}
