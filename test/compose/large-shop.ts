import type t from 'tap'
import {
  type ConfigurationFiles,
  perimeterDocument,
  writeConfiguration,
} from '../support/ringfence.ts'
import { shopSettings } from '../support/shop.ts'

type Test = Pick<typeof t, 'teardown'>

/** A shop whose perimeters together have so many prefixes and as many names, of which `orders` has a share. */
export interface LargeShop extends ConfigurationFiles {
  /** Writes one of the files anew, so that versions differ. */
  mark(marker: string): Promise<void>
}

const elementsPerRule = 500
/** Files have 32 MiB at most. */
const elementsPerFile = 250_000
export const outsideName = 'api.outside.test'

export async function writeLargeShop(
  t: Test,
  options: { readonly size: number; readonly originPort: number },
): Promise<LargeShop> {
  const { size, originPort } = options
  const settings = shopSettings({ backendPort: originPort, outsidePorts: [originPort] })
  const files = await writeConfiguration(t, { settings, perimeters: {} })
  const fileCount = Math.ceil(size / elementsPerFile)
  const numbersOf = (file: number): readonly number[] => {
    const from = Math.floor((file * size) / fileCount)
    const to = Math.floor(((file + 1) * size) / fileCount)
    return Array.from({ length: to - from }, (_, index) => from + index)
  }
  for (let file = 1; file < fileCount; file++) {
    const profiles = [{ name: 'web', accessRules: rulesOf(numbersOf(file)) }]
    await writeText(files, `large-${file}`, perimeterDocument(`large-${file}`, { profiles }))
  }
  const ownRules = rulesOf(numbersOf(0))
  const mark = (marker: string): Promise<void> =>
    writeText(
      files,
      'large-0',
      perimeterDocument('large-0', {
        profiles: [
          {
            name: 'web',
            accessRules: [
              ...ownRules,
              { name: `office-${marker}`, direction: 'Inbound', addressPrefixes: ['127.0.0.1/32'] },
              {
                name: `outside-${marker}`,
                direction: 'Outbound',
                fullyQualifiedDomainNames: [outsideName],
              },
            ],
          },
        ],
        resourceAssociations: ['orders', 'vault'].map((name) => ({
          name,
          privateLinkResource: { id: name },
          profile: { id: 'web' },
          accessMode: 'Enforced',
        })),
      }),
    )
  await mark('first')
  return { ...files, mark }
}

/** Without the blanks that would double it. */
function writeText(files: ConfigurationFiles, name: string, document: object): Promise<void> {
  return files.write(`perimeters/${name}.yaml`, JSON.stringify(document))
}

function rulesOf(numbers: readonly number[]): readonly object[] {
  const rules: object[] = []
  for (let from = 0; from < numbers.length; from += elementsPerRule) {
    const some = numbers.slice(from, from + elementsPerRule)
    const first = some[0] ?? 0
    rules.push(
      { name: `in-${first}`, direction: 'Inbound', addressPrefixes: some.map(prefixText) },
      {
        name: `out-${first}`,
        direction: 'Outbound',
        fullyQualifiedDomainNames: some.map(nameText),
      },
    )
  }
  return rules
}

/** Every eighth is IPv6; none covers loopback. */
function prefixText(number: number): string {
  const mixed = (number * 472_093 + 12_345) % 2 ** 20
  return number % 8 === 7
    ? `2001:db8:${(mixed >> 16).toString(16)}:${(mixed & 0xffff).toString(16)}::/64`
    : `${16 + (mixed >> 16)}.${(mixed >> 8) & 0xff}.${mixed & 0xff}.0/24`
}

function nameText(number: number): string {
  const mixed = (number * 472_093 + 12_345) % 2 ** 20
  return `${number % 5 === 0 ? '*.' : 'api.'}service-${mixed}.zone-${number % 97}.example`
}
