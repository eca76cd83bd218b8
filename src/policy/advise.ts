import type { Direction } from '../perimeter/perimeter.ts'
import type { Advice } from './explain.ts'
import type { CompiledAssociation, ResourcePolicy } from './snapshot.ts'

/** What an operator may add to the documents, as sentences and YAML. */

const maxNameLength = 80
const notInNames = /[^a-zA-Z0-9_.-]+/g
const notAtEnds = /[.-]+$/

/** Where a rule for this association belongs. */
export function describePlace({ perimeter, profile }: CompiledAssociation): string {
  return `the accessRules of the profile \`${profile.name}\` of the perimeter \`${perimeter.perimeter.name}\``
}

/** A rule to add. Its name is made to fit the pattern of names (NSP REST API); the element is YAML. */
export function adviseRule(
  text: string,
  rule: { readonly name: string; readonly direction: Direction; readonly element: string },
): Advice {
  const name = rule.name.replace(notInNames, '-').slice(0, maxNameLength).replace(notAtEnds, '')
  return { text, yaml: [`- { name: ${name}, direction: ${rule.direction}, ${rule.element} }`] }
}

/** For a resource that no perimeter associates. */
export function adviseAssociation({ id }: ResourcePolicy): Advice {
  return {
    text: `associate \`${id.name}\` with a perimeter, and its profile decides: add to the perimeter's file`,
    yaml: [
      'resourceAssociations:',
      `  - name: ${id.name}`,
      `    privateLinkResource: { id: ${id.text} }`,
      '    profile: { id: PROFILE }',
      '    accessMode: Learning',
    ],
  }
}
