import { closestWord } from '../documents/closest-word.ts'
import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { categories } from '../perimeter/category.ts'
import { quote } from '../perimeter/quote.ts'
import { asRecord, type ForeignKind, foreignKinds } from './foreign-body.ts'

/** Elements of rules that NSP declares and a proxy cannot see: they never match (NSP REST specification). */
const unenforceable = ['emailAddresses', 'phoneNumbers']

export interface PropertiesContext {
  readonly kind: ForeignKind
  /** Of the properties. */
  readonly path: Path
  readonly findings: Findings
}

/**
 * What of a body's properties counts: nulls and read-only keys go without a word, what cannot be enforced goes with a
 * warning. Undefined where the body must be left out as a whole.
 */
export function readForeignProperties(
  value: unknown,
  context: PropertiesContext,
): Readonly<Record<string, unknown>> | undefined {
  const { kind, path, findings } = context
  const row = foreignKinds.find((known) => known.kind === kind)
  const ignored = new Set(['provisioningState', ...(row?.readOnly ?? [])])
  const written = asRecord(value ?? {})
  if (written === undefined) {
    findings.error(path, '`properties` must be a mapping of keys to values')
    return undefined
  }
  const properties: Record<string, unknown> = { __proto__: null }
  for (const [key, item] of Object.entries(written)) {
    if (item === null || ignored.has(key)) continue
    if (isRefused(key, context)) continue
    if (kind === 'accessRule' && unenforceable.includes(key)) {
      warnUnenforceable(item, { path: [...path, key], findings })
    } else {
      properties[key] = item
    }
  }
  switch (kind) {
    case 'link':
      return readLink(properties, context)
    case 'linkReference':
      return readLinkReference(properties, context)
    case 'loggingConfiguration':
      return readLogging(properties, context)
    case 'perimeter':
    case 'profile':
    case 'accessRule':
    case 'association':
      return properties
  }
}

/** Whether the key is refused here: what is taken out before the shape of the native form sees it, the shape does not know. */
function isRefused(key: string, { kind, path, findings }: PropertiesContext): boolean {
  const isLoop = key.toLowerCase() === 'copy'
  // Without its `status` a link counts.
  const isStatus = kind === 'link' && key !== 'status' && closestWord(key, ['status']) !== undefined
  if (isLoop) {
    findings.error([...path, key], 'loops are not supported; write each element out', 'key')
  } else if (isStatus) {
    const message = `unknown key ${quote(key)}; did you mean \`status\``
    findings.error([...path, key], message, 'key')
  }
  return isLoop || isStatus
}

function warnUnenforceable(
  value: unknown,
  { path, findings }: { readonly path: Path; readonly findings: Findings },
): void {
  if (Array.isArray(value) && value.length === 0) return
  const key = String(path.at(-1))
  findings.warning(path, `${quote(key)} cannot be enforced here and never match`, 'key')
}

function readLink(
  properties: Record<string, unknown>,
  { path, findings }: PropertiesContext,
): Readonly<Record<string, unknown>> | undefined {
  const { status, ...rest } = properties
  if (status !== undefined && status !== 'Approved') {
    const words = typeof status === 'string' ? quote(status) : 'something else'
    findings.warning([...path, 'status'], `the link is ${words}, not approved, and is left out`)
    return undefined
  }
  if (rest['autoApprovedRemotePerimeterResourceId'] === undefined) {
    findings.warning(path, 'the link does not say which perimeter it leads to and is left out')
    return undefined
  }
  return rest
}

function readLinkReference(
  properties: Record<string, unknown>,
  { path, findings }: PropertiesContext,
): Readonly<Record<string, unknown>> {
  if (properties['status'] !== undefined) return properties
  findings.warning(path, 'the link reference has no `status` and counts as `Pending`')
  return { ...properties, status: 'Pending' }
}

function readLogging(
  properties: Record<string, unknown>,
  { path, findings }: PropertiesContext,
): Readonly<Record<string, unknown>> {
  const key = 'enabledLogCategories'
  const enabled = properties[key]
  if (!Array.isArray(enabled)) return properties
  const known: ReadonlySet<unknown> = new Set(categories)
  const kept = enabled.filter((category, index) => {
    if (typeof category !== 'string' || known.has(category)) return true
    findings.warning(
      [...path, key, index],
      `the category ${quote(category)} does not exist here and is never logged`,
    )
    return false
  })
  return { ...properties, [key]: kept }
}

/** Keys of a resource, beside its properties, that say nothing to a decision. */
const resourceKeys: ReadonlySet<string> = new Set([
  'apiVersion',
  'comments',
  'condition',
  'copy',
  'dependsOn',
  'etag',
  'existing',
  'id',
  'location',
  'metadata',
  'name',
  'properties',
  'resources',
  'systemData',
  'tags',
  'type',
])

/** Keys that ARM has beside those, and that are no misspelling of one. */
const otherArmKeys: ReadonlySet<string> = new Set([
  'extendedLocation',
  'identity',
  'kind',
  'managedBy',
  'plan',
  'scope',
  'sku',
  'zones',
])

/** Warns about keys of a resource that nobody here has heard of; what is nearly a known one was meant and is refused. */
export function warnOfResourceKeys(
  resource: Readonly<Record<string, unknown>>,
  { path, findings }: { readonly path: Path; readonly findings: Findings },
): void {
  for (const key of Object.keys(resource)) {
    if (resourceKeys.has(key)) continue
    const meant = otherArmKeys.has(key) ? undefined : closestWord(key, [...resourceKeys])
    const unknown = `unknown key ${quote(key)}`
    if (meant !== undefined) {
      findings.error([...path, key], `${unknown}; did you mean ${quote(meant)}`, 'key')
    } else {
      findings.warning([...path, key], `${unknown}; it takes no part in any decision`, 'key')
    }
  }
}
