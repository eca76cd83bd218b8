import type { Guid } from '../perimeter/guid.ts'
import { parseMemberUri } from '../perimeter/member-uri.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import { type AlternativeName, readAlternativeNames } from '../wire/subject-alternative-names.ts'
import type { Statement } from './proof.ts'

/** A name in certificates that stands for a resource, because settings say so. */
export interface MappedName {
  readonly name: AlternativeName
  readonly resource: ResourceId
  readonly perimeter: Guid | undefined
}

/**
 * What the alternative names of a certificate say about its holder, as Node writes them; a fixed phrase where they say
 * nothing, or more than one thing. Nothing else in it counts: a common name is for people.
 */
export function readHolder(
  text: string | undefined,
  mapping: readonly MappedName[],
): Statement | string {
  const names = readAlternativeNames(text ?? '')
  if (names === undefined) return 'client certificate with a name that can be misread'
  const uris = names.filter(({ kind }) => kind === 'uri')
  // SPIFFE X509-SVID 2: exactly one URI.
  const isSpiffe = uris.some(({ value }) => /^spiffe:/i.test(value))
  if (isSpiffe && uris.length > 1) return 'client certificate with a SPIFFE ID and another URI'
  const statements = names.flatMap((name) => statementsOf(name, mapping))
  const [first, ...others] = statements
  if (first === undefined) return 'client certificate that names no resource'
  if (others.some((other) => !isSame(first, other))) {
    return 'client certificate that names two resources'
  }
  return first
}

function statementsOf(name: AlternativeName, mapping: readonly MappedName[]): readonly Statement[] {
  const mapped = mapping
    .filter((one) => one.name.kind === name.kind && one.name.value === name.value)
    .map(({ resource, perimeter }) => statementAbout(resource, perimeter))
  const member = name.kind === 'uri' ? parseMemberUri(name.value) : undefined
  return member === undefined
    ? mapped
    : [...mapped, statementAbout(member.resource, member.perimeter)]
}

function statementAbout(resource: ResourceId, perimeter: Guid | undefined): Statement {
  const perimeters = perimeter === undefined ? [] : [perimeter]
  return { resource, subscription: resource.subscriptionId, perimeters }
}

function isSame(one: Statement, other: Statement): boolean {
  return one.resource?.key === other.resource?.key && one.perimeters[0] === other.perimeters[0]
}

/** Whether one of the names, as Node writes them, is exactly this one, written likewise. */
export function hasName(text: string | undefined, wanted: string): boolean {
  const [name, ...more] = readAlternativeNames(wanted) ?? []
  if (name === undefined || more.length > 0 || name.kind === 'other') return false
  const names = readAlternativeNames(text ?? '') ?? []
  return names.some(({ kind, value }) => kind === name.kind && value === name.value)
}
