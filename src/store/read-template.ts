import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'
import { asRecord, type ForeignBody, kindOfType } from './foreign-body.ts'
import { readForeignProperties, warnOfResourceKeys } from './foreign-properties.ts'
import { createTemplateText, type TemplateText } from './template-text.ts'

interface Parent {
  /** Full ARM type, as written. */
  readonly type: string
  readonly names: readonly string[]
}

interface Context {
  readonly findings: Findings
  readonly text: TemplateText
  readonly parent: Parent | undefined
}

/**
 * Reads an ARM deployment template: `resources`, nested or flat, a list or (languageVersion 2.0) a mapping. Expressions
 * are refused: nothing here could evaluate them. `dependsOn` and everything beside `resources` says nothing to a decision.
 */
export function readTemplate(
  template: Readonly<Record<string, unknown>>,
  findings: Findings,
): readonly ForeignBody[] {
  const context = { findings, text: createTemplateText(findings), parent: undefined }
  for (const key of Object.keys(template)) {
    if (key === 'resources' || key.toLowerCase() !== 'resources') continue
    findings.error([key], `unknown key ${quote(key)}; did you mean \`resources\``, 'key')
  }
  return readResources(template['resources'], ['resources'], context)
}

function readResources(value: unknown, path: Path, context: Context): readonly ForeignBody[] {
  if (value === undefined || value === null) return []
  const record = asRecord(value)
  if (!Array.isArray(value) && record === undefined) {
    context.findings.error(path, '`resources` must be a list of resources')
    return []
  }
  const items: readonly (readonly [string | number, unknown])[] = Array.isArray(value)
    ? value.map((item: unknown, index) => [index, item])
    : Object.entries(record ?? {})
  return items.flatMap(([key, item]) => readResource(item, [...path, key], context))
}

function readResource(value: unknown, path: Path, context: Context): readonly ForeignBody[] {
  const { findings, text, parent } = context
  const resource = asRecord(value)
  const writtenType = resource?.['type']
  const writtenName = resource?.['name']
  if (
    resource === undefined ||
    typeof writtenType !== 'string' ||
    typeof writtenName !== 'string'
  ) {
    findings.error(path, 'a resource of a template is a mapping with `type` and `name`')
    return []
  }
  const type = fullType(writtenType, parent)
  const row = kindOfType(type)
  if (row === undefined) {
    findings.warning(
      [...path, 'type'],
      `the type ${quote(type)} is no part of a perimeter; the resource is left out`,
    )
    return []
  }
  const name = text.resolve(writtenName, [...path, 'name'])
  if (resource['condition'] === false) {
    findings.warning([...path, 'condition'], 'the resource is not deployed and is left out')
    return []
  }
  warnOfResourceKeys(resource, { path, findings })
  refuseUnsupported(resource, path, context)
  if (name === undefined) return []

  const written = name.split('/')
  const isRelative = parent !== undefined && written.length === 1
  const names = isRelative ? [...parent.names, name] : written
  const depth = type.split('/').length - 1
  if (names.length !== depth) {
    findings.error(
      [...path, 'name'],
      `the name ${quote(name)} must have as many parts as the type has, ${depth}, joined by \`/\``,
    )
    return []
  }
  const propertiesPath = [...path, 'properties']
  const properties = readForeignProperties(
    text.resolveAll(resource['properties'] ?? {}, propertiesPath),
    { kind: row.kind, path: propertiesPath, findings },
  )
  const children = readResources(resource['resources'], [...path, 'resources'], {
    ...context,
    parent: { type, names },
  })
  if (properties === undefined) return children
  const location = text.resolveAll(resource['location'], [...path, 'location'])
  const body = { kind: row.kind, names, location, properties, path }
  return [{ ...body, subscriptionId: undefined, resourceGroup: undefined }, ...children]
}

/** Nested resources name their type within that of their parent; some exporters write it in full all the same. */
function fullType(type: string, parent: Parent | undefined): string {
  const [namespace = ''] = type.split('/', 1)
  return parent === undefined || namespace.includes('.') ? type : `${parent.type}/${type}`
}

function refuseUnsupported(
  resource: Readonly<Record<string, unknown>>,
  path: Path,
  { findings, text }: Context,
): void {
  if (resource['copy'] !== undefined) {
    findings.error([...path, 'copy'], 'loops are not supported; write each resource out', 'key')
  }
  const { condition, existing } = resource
  if (
    typeof condition === 'string' &&
    text.resolve(condition, [...path, 'condition']) === undefined
  ) {
    // An expression, and reported as such.
  } else if (condition !== undefined && condition !== true) {
    findings.error([...path, 'condition'], '`condition` must be `true` or `false`')
  }
  if (existing !== undefined && existing !== false) {
    findings.error(
      [...path, 'existing'],
      'a resource that exists already is not declared here; export the perimeter whole',
      'key',
    )
  }
}
