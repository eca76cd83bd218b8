import type { Findings } from '../documents/findings.ts'
import { createFindings } from '../documents/findings.ts'
import { parseDocument } from '../documents/parse-document.ts'
import type { Path } from '../documents/problem.ts'
import { readText } from '../documents/read-text.ts'
import { type Checked, invalid, valid } from '../perimeter/checked.ts'
import type { ServiceTag } from '../perimeter/perimeter.ts'
import { quote } from '../perimeter/quote.ts'
import { validatePrefix } from '../perimeter/validate-prefix.ts'
import type { Prefix } from '../wire/address.ts'
import { asRecord } from './foreign-body.ts'

/**
 * The file of service tags that Microsoft publishes each week (`ServiceTags_Public_*.json`): names of services and their
 * prefixes. Of some ninety thousand prefixes only those are read whose tag a rule names.
 */
export interface ServiceTags {
  /** Names compare without regard to case. Undefined: it is in the file and cannot be used, which was told. */
  find(name: string): Checked<ServiceTag | undefined>
}

export interface LoadedServiceTags {
  /** Undefined where the file cannot be used at all. */
  readonly tags: ServiceTags | undefined
  readonly findings: Findings
}

/** The largest has about fifteen thousand. */
const maxPrefixes = 200_000

const tagName = /^[A-Za-z][A-Za-z0-9._-]{0,127}$/

/** Reads the file. What is wrong is reported with its place. Never rejects. */
export async function loadServiceTags(file: string): Promise<LoadedServiceTags> {
  const source = await readText(file)
  if (source.kind === 'unreadable') {
    const findings = createFindings(() => ({ file, line: 1, column: 1 }))
    findings.error([], source.message)
    return { tags: undefined, findings }
  }
  const { data, findings } = parseDocument(file, source.text)
  if (data === undefined) return { tags: undefined, findings }
  const values: unknown = asRecord(data)?.['values']
  if (!Array.isArray(values) || values.length === 0) {
    const message =
      '`values` must be a list of service tags, as in the file that Microsoft publishes'
    findings.error([], message)
    return { tags: undefined, findings }
  }
  const indexes = indexTags(values, findings)
  const tags = createServiceTags(values, { indexes, findings })
  return { tags: findings.hasErrors ? undefined : tags, findings }
}

/** Where each tag stands, by its name in small letters. */
function indexTags(values: readonly unknown[], findings: Findings): ReadonlyMap<string, number> {
  const indexes = new Map<string, number>()
  for (const [index, value] of values.entries()) {
    const name = asRecord(value)?.['name']
    if (typeof name !== 'string' || !tagName.test(name)) {
      findings.error(['values', index], 'a service tag must have a `name` of letters and digits')
      continue
    }
    const key = name.toLowerCase()
    if (indexes.has(key)) {
      findings.error(['values', index, 'name'], `the service tag ${quote(name)} is there twice`)
    }
    indexes.set(key, index)
  }
  return indexes
}

function createServiceTags(
  values: readonly unknown[],
  given: { readonly indexes: ReadonlyMap<string, number>; readonly findings: Findings },
): ServiceTags {
  const { indexes, findings } = given
  const read = new Map<number, ServiceTag | undefined>()
  return {
    find(name) {
      const index = indexes.get(name.toLowerCase())
      if (index === undefined) {
        return invalid(
          `${quote(name)} is not in the file of service tags; names are like \`Storage.WestEurope\``,
        )
      }
      if (!read.has(index)) {
        read.set(index, readTag(values[index], { path: ['values', index], findings }))
      }
      return valid(read.get(index))
    },
  }
}

function readTag(
  value: unknown,
  { path, findings }: { readonly path: Path; readonly findings: Findings },
): ServiceTag | undefined {
  const tag = asRecord(value)
  const name = String(tag?.['name'])
  const listed: unknown = asRecord(tag?.['properties'])?.['addressPrefixes']
  const place = [...path, 'properties', 'addressPrefixes']
  // THREAT: a tag that lost its prefixes would close what depends on it without a word.
  if (!Array.isArray(listed) || listed.length === 0 || listed.length > maxPrefixes) {
    findings.error(
      path,
      `the service tag ${quote(name)} must list 1 to ${maxPrefixes} \`addressPrefixes\``,
    )
    return undefined
  }
  const addressPrefixes: Prefix[] = []
  for (const [index, text] of listed.entries()) {
    const checked = readPrefix(text)
    if (checked.kind === 'valid') addressPrefixes.push(checked.value)
    else findings.error([...place, index], checked.message)
  }
  return addressPrefixes.length === listed.length ? { name, addressPrefixes } : undefined
}

function readPrefix(text: unknown): Checked<Prefix> {
  if (typeof text !== 'string') return invalid('an address prefix must be text')
  const checked = validatePrefix(text)
  return checked.kind === 'valid' && checked.value.length === 0
    ? invalid(`${quote(text)} is everyone, which is no service`)
    : checked
}
