import { perimeterOf, standardRules } from './candidates/ringfence.ts'

/** Perimeters that hold so many prefixes and so many names between them, as files of a size that is still a document. */

const namesPerFile = 250_000
/** Third octets that a prefix of 24 bits can have. */
const octet = 256

/** @param edition changes one rule, so that the policy is another one of the same size. */
export function largePolicy(
  size: number,
  edition: number,
): { readonly perimeters: Record<string, object>; readonly resources: readonly object[] } {
  const perimeters: Record<string, object> = {}
  const resources: object[] = []
  const files = Math.ceil(size / namesPerFile)
  for (let file = 0; file < files; file++) {
    const first = file * namesPerFile
    const numbers = Array.from(
      { length: Math.min(namesPerFile, size - first) },
      (_, index) => first + index,
    )
    const rules = [
      { name: 'prefixes', direction: 'Inbound', addressPrefixes: numbers.map(prefixOf) },
      { name: 'names', direction: 'Outbound', fullyQualifiedDomainNames: numbers.map(nameOf) },
    ]
    if (file === 0) {
      perimeters['p0.json'] = perimeterOf('p0', [...rules, ...standardRules, editionRule(edition)])
    } else {
      perimeters[`p${file}.json`] = perimeterOf(`p${file}`, rules, `member-${file}`)
      resources.push({ id: `member-${file}` })
    }
  }
  return { perimeters, resources }
}

function editionRule(edition: number): object {
  const fullyQualifiedDomainNames = [`edition-${edition}.bench.example`]
  return { name: 'edition', direction: 'Outbound', fullyQualifiedDomainNames }
}

/** From 20.0.0.0/24 up; a million of them end at 35.66.63.0/24. */
function prefixOf(number: number): string {
  const [a, b, c] = [number / octet ** 2, number / octet, number].map(Math.floor)
  return `${20 + (a ?? 0)}.${(b ?? 0) % octet}.${(c ?? 0) % octet}.0/24`
}

function nameOf(number: number): string {
  return `${number % 5 === 0 ? '*.' : ''}service-${number}.example`
}
