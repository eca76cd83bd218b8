import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'
import type { ForeignBody, ForeignKind } from './foreign-body.ts'
import type { Origins } from './origins.ts'

type Tree = Record<string, unknown>

/**
 * Puts bodies together into perimeters of the native form, one for each, in the order of the file. Notes in `origins`
 * where each part came from.
 */
export function assemblePerimeters(
  bodies: readonly ForeignBody[],
  context: { readonly findings: Findings; readonly origins: Origins },
): readonly Tree[] {
  const { findings, origins } = context
  const perimeters = new Map<string, Tree>()
  const profiles = new Map<string, Tree>()
  const note = (tree: Tree, body: ForeignBody): Tree => {
    const name: Path = [...body.path, 'name']
    origins.note(tree, { path: [...body.path, 'properties'], keys: { name } })
    return tree
  }

  for (const body of bodies.filter(({ kind }) => kind === 'perimeter')) {
    const tree = note(createPerimeter(body), body)
    const key = keyOf(body, 1)
    if (perimeters.has(key)) {
      findings.error(body.path, `the perimeter ${quote(nameOf(body))} is declared twice`)
    }
    perimeters.set(key, tree)
  }
  for (const body of bodies.filter(({ kind }) => kind === 'profile')) {
    const tree = note({ ...body.properties, name: nameOf(body), accessRules: [] }, body)
    profiles.set(keyOf(body, 2), tree)
    append(perimeters.get(keyOf(body, 1)), { list: 'profiles', tree, body, findings })
  }
  for (const body of bodies) {
    const list = listOf[body.kind]
    if (list === undefined) continue
    const owner =
      body.kind === 'accessRule' ? profiles.get(keyOf(body, 2)) : perimeters.get(keyOf(body, 1))
    const tree = note({ ...body.properties, name: nameOf(body) }, body)
    append(owner, { list, tree, body, findings })
  }
  for (const body of bodies.filter(({ kind }) => kind === 'loggingConfiguration')) {
    const perimeter = perimeters.get(keyOf(body, 1))
    const tree = note({ ...body.properties }, body)
    if (perimeter === undefined) reportOrphan(body, findings)
    else perimeter['loggingConfiguration'] = tree
  }
  return [...perimeters.values()]
}

const listOf: Readonly<Record<ForeignKind, string | undefined>> = {
  perimeter: undefined,
  profile: undefined,
  loggingConfiguration: undefined,
  accessRule: 'accessRules',
  association: 'resourceAssociations',
  link: 'links',
  linkReference: 'linkReferences',
}

function createPerimeter(body: ForeignBody): Tree {
  const { subscriptionId, resourceGroup, location } = body
  return {
    ...body.properties,
    name: nameOf(body),
    ...(subscriptionId === undefined ? {} : { subscriptionId }),
    ...(resourceGroup === undefined ? {} : { resourceGroup }),
    ...(location === undefined ? {} : { location }),
    profiles: [],
    resourceAssociations: [],
    links: [],
    linkReferences: [],
  }
}

function append(
  owner: Tree | undefined,
  item: {
    readonly list: string
    readonly tree: Tree
    readonly body: ForeignBody
    readonly findings: Findings
  },
): void {
  const list = owner?.[item.list]
  if (Array.isArray(list)) list.push(item.tree)
  else reportOrphan(item.body, item.findings)
}

function reportOrphan(body: ForeignBody, findings: Findings): void {
  const owner = body.names.slice(0, -1).join('/')
  findings.error(
    body.path,
    `${quote(nameOf(body))} belongs to ${quote(owner)}, which is not in this file; put all that makes a perimeter into one file`,
  )
}

function nameOf(body: ForeignBody): string {
  return body.names.at(-1) ?? ''
}

/** Identity of the body's first so many names. ARM compares names without regard to case. */
function keyOf(body: ForeignBody, depth: number): string {
  const { subscriptionId = '', resourceGroup = '', names } = body
  return [subscriptionId, resourceGroup, ...names.slice(0, depth)].join('/').toLowerCase()
}
