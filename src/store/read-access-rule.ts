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
  const { path } = context
  checkKinds(value, context)
  return {
    name: value.name,
    direction: value.direction,
    addressPrefixes: readElements(value.addressPrefixes ?? [], {
      ...context,
      path: [...path, 'addressPrefixes'],
      read: validatePrefix,
    }),
    subscriptions: readElements(value.subscriptions ?? [], {
      ...context,
      path: [...path, 'subscriptions'],
      read: ({ id }) => validateSubscriptionId(id),
    }),
    fullyQualifiedDomainNames: readElements(value.fullyQualifiedDomainNames ?? [], {
      ...context,
      path: [...path, 'fullyQualifiedDomainNames'],
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

function readElements<T, R>(
  elements: readonly T[],
  context: RuleContext & { readonly read: (element: T) => Checked<R> },
): readonly R[] {
  const results: R[] = []
  for (const [index, element] of elements.entries()) {
    const checked = context.read(element)
    if (checked.kind === 'valid') results.push(checked.value)
    else context.findings.error([...context.path, index], checked.message)
  }
  return results
}
