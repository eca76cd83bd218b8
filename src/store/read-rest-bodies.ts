import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'
import { parseResourceId } from '../perimeter/resource-id.ts'
import { asRecord, type ForeignBody, kindOfType } from './foreign-body.ts'
import { readForeignProperties, warnOfResourceKeys } from './foreign-properties.ts'

/**
 * Reads bodies of the REST API: a list, a page `{ value: […] }`, or a single one. What a body is and where it belongs is
 * read from its `id`, which every reply carries.
 */
export function readRestBodies(data: unknown, findings: Findings): readonly ForeignBody[] {
  if (Array.isArray(data)) return readList(data, [], findings)
  const page = asRecord(data)
  const value = page?.['value']
  if (!Array.isArray(value)) return readBody(data, [], findings)
  const [key, nextLink] =
    Object.entries(page ?? {}).find(([name]) => name.toLowerCase() === 'nextlink') ?? []
  if (key !== undefined && typeof nextLink === 'string' && nextLink !== '') {
    findings.error(
      [key],
      'this is one page of several; put the bodies of all pages into one list',
      'key',
    )
  }
  return readList(value, ['value'], findings)
}

function readList(
  list: readonly unknown[],
  path: Path,
  findings: Findings,
): readonly ForeignBody[] {
  return list.flatMap((item, index) => readBody(item, [...path, index], findings))
}

function readBody(value: unknown, path: Path, findings: Findings): readonly ForeignBody[] {
  const body = asRecord(value)
  const idText = body?.['id']
  if (body === undefined || typeof idText !== 'string') {
    findings.error(path, 'a body of the REST API is a mapping with `id` and `properties`')
    return []
  }
  const id = parseResourceId(idText)
  if (id === undefined) {
    findings.error([...path, 'id'], `${quote(idText)} is not a resource id`)
    return []
  }
  const row = kindOfType(id.type)
  if (row === undefined) {
    findings.warning(
      [...path, 'id'],
      `the type ${quote(id.type)} is no part of a perimeter; the resource is left out`,
    )
    return []
  }
  warnOfResourceKeys(body, { path, findings })
  const propertiesPath = [...path, 'properties']
  const properties = readForeignProperties(body['properties'], {
    kind: row.kind,
    path: propertiesPath,
    findings,
  })
  if (properties === undefined) return []
  return [
    {
      kind: row.kind,
      names: namesOf(id.text),
      subscriptionId: id.subscriptionId,
      resourceGroup: id.resourceGroup,
      location: body['location'] ?? undefined,
      properties,
      path,
    },
  ]
}

/** Every second segment after the namespace: `…/providers/{namespace}/{type}/{name}/{type}/{name}`. */
function namesOf(id: string): readonly string[] {
  return id
    .split('/')
    .slice(7)
    .filter((_, index) => index % 2 === 1)
}
