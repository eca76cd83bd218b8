import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { loadConfiguration } from '../src/load-configuration.ts'

/** Whatever lies on disk, the loader answers with problems that have a place and never with an exception. */

const forMs = { interruptAfterTimeLimit: 2500, numRuns: 1500 }
const config = join(import.meta.dirname, '..', 'config')
const samples = join(import.meta.dirname, 'store', 'samples')

const perimeterName = 'shop.json'
const goodSettings = `scope: { subscriptionId: 11111111-1111-1111-1111-111111111111, resourceGroup: shop }
policy: { files: [${perimeterName}] }
`

async function load(
  directory: string,
  files: { readonly settings: Bytes; readonly perimeter: Bytes },
): Promise<void> {
  await writeFile(join(directory, 'ringfence.yaml'), files.settings)
  await writeFile(join(directory, perimeterName), files.perimeter)
  const loaded = await loadConfiguration(join(directory, 'ringfence.yaml'), { instance: 'x' })
  if (loaded.kind === 'loaded') return
  for (const { file, line, column, message, severity } of loaded.problems) {
    if (line >= 1 && column >= 1 && message !== '' && file.startsWith(directory)) continue
    throw new Error(`a problem without a place: ${file}:${line}:${column}: ${severity}: ${message}`)
  }
  if (!loaded.problems.some(({ severity }) => severity === 'error')) throw new Error('no error')
}

type Bytes = string | Uint8Array

void t.test('loadConfiguration rejects for no bytes', async (t) => {
  const directory = t.testdir({})
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, asSettings) =>
      load(
        directory,
        asSettings
          ? { settings: bytes, perimeter: 'name: shop' }
          : { settings: goodSettings, perimeter: bytes },
      ),
    ),
    forMs,
  )
})

/** Any JSON value in the place of any part of a document of the right shape. */
void t.test('loadConfiguration rejects for no misplaced value', async (t) => {
  const directory = t.testdir({})
  const documents = await Promise.all(
    ['rest-bodies.json', 'template-nested.json', 'template-flat.json'].map(
      async (name): Promise<unknown> => JSON.parse(await readFile(join(samples, name), 'utf8')),
    ),
  )
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(null, '', '[x]', '[[', '/', '*', -1, 1e300, [], {}, '__proto__', [null], [[]]),
  )
  const mutation = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), value: odd })
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...documents),
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      (document, mutations) => {
        const copy: unknown = structuredClone(document)
        for (const { at, value } of mutations) replacePart(copy, at, value)
        return load(directory, { settings: goodSettings, perimeter: JSON.stringify(copy) })
      },
    ),
    forMs,
  )
})

/** Lines of good documents, cut, doubled, swapped. */
void t.test('loadConfiguration rejects for no spoilt line', async (t) => {
  const directory = t.testdir({})
  const settings = await readFile(join(config, 'ringfence.example.yaml'), 'utf8')
  const perimeter = await readFile(join(config, 'perimeters', 'shop.yaml'), 'utf8')
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.nat(40),
    text: fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom('', ' ', '\n', ':', '- ', '[', '}', '"', '*a', '&a ', '? ', '~', '0', '#'),
    ),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(edit, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      (edits, both) => {
        const spoil = (text: string) =>
          edits.reduce((result, { at, length, text: inserted }) => {
            const start = Math.floor(at * result.length)
            return result.slice(0, start) + inserted + result.slice(start + length)
          }, text)
        const pointed = settings.replace('perimeters/*.yaml', perimeterName)
        return load(directory, {
          settings: both ? spoil(pointed) : pointed,
          perimeter: both ? perimeter : spoil(perimeter),
        })
      },
    ),
    forMs,
  )
})

function replacePart(document: unknown, at: number, value: unknown): void {
  const places: { readonly owner: object; readonly key: string }[] = []
  const visit = (owner: unknown): void => {
    if (typeof owner !== 'object' || owner === null) return
    for (const [key, item] of Object.entries(owner)) {
      places.push({ owner, key })
      visit(item)
    }
  }
  visit(document)
  const place = places[Math.min(places.length - 1, Math.floor(at * places.length))]
  if (place !== undefined) Reflect.set(place.owner, place.key, value)
}
