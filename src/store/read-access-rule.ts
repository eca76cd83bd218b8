import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import type { Checked } from '../perimeter/checked.ts'
import type { AccessRule, Direction, ServiceTag } from '../perimeter/perimeter.ts'
import { validateFqdn } from '../perimeter/validate-fqdn.ts'
import { validatePrefix } from '../perimeter/validate-prefix.ts'
import { validateSubscriptionId } from '../perimeter/validate-subscription.ts'
import type { AccessRuleValue } from './schema.ts'
import type { NamedServiceTags } from './perimeter-context.ts'

export interface RuleContext {
  readonly path: Path
  readonly findings: Findings
  /** Other tools print rules of several kinds or none: there they load with a warning, in native files they are errors. */
  readonly lenient: boolean
  readonly serviceTags: NamedServiceTags
}

type ElementKind = 'addressPrefixes' | 'subscriptions' | 'serviceTags' | 'fullyQualifiedDomainNames'

/** Which way each kind of element works (NSP REST specification). */
const directions = {
  addressPrefixes: 'Inbound',
  subscriptions: 'Inbound',
  serviceTags: 'Inbound',
  fullyQualifiedDomainNames: 'Outbound',
} as const satisfies Record<ElementKind, Direction>

const elementKinds: readonly ElementKind[] = [
  'addressPrefixes',
  'subscriptions',
  'serviceTags',
  'fullyQualifiedDomainNames',
]

/** Reads one access rule. What is wrong is reported and left out. */
export function readAccessRule(value: AccessRuleValue, context: RuleContext): AccessRule {
  checkKinds(value, context)
  const serviceTags = value.serviceTags === undefined ? [] : readServiceTags(value, context)
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
    ...(serviceTags.length === 0 ? {} : { serviceTags }),
  }
}

/** Each tag once. Where the file of tags is broken, that none is found is no news. */
function readServiceTags(value: AccessRuleValue, context: RuleContext): readonly ServiceTag[] {
  const { findings, lenient, path, serviceTags } = context
  if (serviceTags === 'no-file') {
    if (value.serviceTags?.length === 0) return []
    const message = 'without `policy.serviceTagsFile` in settings nobody knows these service tags'
    const place = [...path, 'serviceTags']
    if (lenient) findings.warning(place, `${message}, and they never match`, 'key')
    else findings.error(place, message, 'key')
    return []
  }
  if (serviceTags === 'broken') return []
  const read = (name: string): Checked<ServiceTag | undefined> => serviceTags.find(name)
  const tags = readElements(value, { ...context, kind: 'serviceTags', read })
  return [...new Set(tags.filter((tag) => tag !== undefined))]
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
