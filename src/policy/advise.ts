import type { Direction } from '../perimeter/perimeter.ts'
import type { Hostname } from '../wire/hostname.ts'
import type { PerimeterFacts } from './compiled-policy.ts'
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

/** A rule to add, as `formatRule` writes it. */
export function adviseRule(text: string, rule: string): Advice {
  return { text, yaml: [`- ${rule}`] }
}

/** A rule in YAML. Its name is made to fit the pattern of names (NSP REST API); the element is YAML. */
export function formatRule(rule: {
  readonly name: string
  readonly direction: Direction
  readonly element: string
}): string {
  const name = rule.name.replace(notInNames, '-').slice(0, maxNameLength).replace(notAtEnds, '')
  return `{ name: ${name}, direction: ${rule.direction}, ${rule.element} }`
}

/** The rule that lets a name out, for `explain` and for the refusal that our own workload reads. */
export function formatNameRule(name: Hostname): string {
  const element = `fullyQualifiedDomainNames: [${yamlWord(name)}]`
  return formatRule({ name: `to-${name}`, direction: 'Outbound', element })
}

/** Quoted where YAML could take it for something else than text: `null`, `on`, `1.e5`. */
function yamlWord(text: string): string {
  return /^[a-z][a-z0-9]*[-.]/.test(text) ? text : `'${text}'`
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

/**
 * For callers of another perimeter: an approved link that reaches the profile. Where one side links already, only the
 * other's consent is missing.
 */
export function adviseLink(link: {
  readonly owner: CompiledAssociation
  /** Undefined: no document here declares it. */
  readonly caller: PerimeterFacts | undefined
}): Advice {
  const { profile } = link.owner
  const owner = link.owner.perimeter.perimeter
  const callerName = link.caller?.name ?? 'caller'
  const callerId = link.caller?.id.text ?? 'RESOURCE_ID'
  const linksTo = (from: PerimeterFacts, to: PerimeterFacts): boolean =>
    from.links.some(({ remotePerimeter }) => remotePerimeter.key === to.id.key)

  if (link.caller !== undefined && linksTo(link.caller, owner)) {
    return {
      text: `\`${callerName}\` links to \`${owner.name}\` already: consent in the perimeter \`${owner.name}\``,
      yaml: formatReference({ name: callerName, id: callerId, profiles: [profile.name] }),
    }
  }
  const consent = formatReference({ name: owner.name, id: owner.id.text, profiles: [] })
  if (link.caller !== undefined && linksTo(owner, link.caller)) {
    return {
      text: `\`${owner.name}\` links to \`${callerName}\` already: it must name the profile \`${profile.name}\`, and \`${callerName}\` must consent`,
      yaml: consent,
    }
  }
  return {
    text: `to let members of \`${callerName}\` reach the profile \`${profile.name}\`, link the two: one side links, the other consents`,
    yaml: [
      `# in the perimeter ${owner.name}`,
      'links:',
      `  - name: to-${callerName}`,
      `    autoApprovedRemotePerimeterResourceId: ${callerId}`,
      `    localInboundProfiles: [${profile.name}]`,
      `# in the perimeter ${callerName}`,
      ...consent,
    ],
  }
}

function formatReference(reference: {
  readonly name: string
  readonly id: string
  readonly profiles: readonly string[]
}): readonly string[] {
  return [
    'linkReferences:',
    `  - name: from-${reference.name}`,
    `    remotePerimeterResourceId: ${reference.id}`,
    `    localInboundProfiles: [${reference.profiles.join(', ')}]`,
    '    status: Approved',
  ]
}
