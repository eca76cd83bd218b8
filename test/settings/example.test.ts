import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import type { ObjectShape, Shape } from '../../src/documents/shape.ts'
import { loadConfiguration } from '../../src/load-configuration.ts'
import { settingsShape } from '../../src/settings/schema.ts'
import { perimeterShape } from '../../src/store/schema.ts'

const config = join(import.meta.dirname, '..', '..', 'config')

void t.test('config/ringfence.example.yaml loads without a problem', async (t) => {
  const file = join(config, 'ringfence.example.yaml')
  const loaded = await loadConfiguration(file, { instance: 'x', azureLimits: true })
  t.same(loaded.kind === 'loaded' ? loaded.warnings : loaded.problems, [])
})

const documented = [
  { file: 'ringfence.example.yaml', shape: settingsShape },
  { file: join('perimeters', 'shop.yaml'), shape: perimeterShape },
]

for (const { file, shape } of documented) {
  void t.test(`config/${file} shows every key there is`, async (t) => {
    const text = await readFile(join(config, file), 'utf8')
    for (const key of keysOf(shape)) {
      t.match(text, new RegExp(`(^|[\\s{#,])${key.replace('$', '\\$')}\\s*[:=]`, 'm'), key)
    }
  })
}

void t.test('config/ringfence.example.yaml shows the defaults', async (t) => {
  const text = await readFile(join(config, 'ringfence.example.yaml'), 'utf8')
  const shown = shownBy(settingsShape, { value: parse(text), at: '' })
  const keys = new Set(shown.map(({ at }) => at))
  t.ok(keys.size > 20, `${keys.size} settings with a default`)
  for (const key of keys) {
    const [first, ...others] = shown.filter(({ at }) => at === key)
    // Of several entries of a list, one shows the default and others show what else there is.
    const one = [first, ...others].find((each) => each?.isDefault === true) ?? first
    t.strictSame(one?.value, one?.wanted, key)
  }
})

interface Shown {
  readonly at: string
  readonly value: unknown
  readonly wanted: unknown
  readonly isDefault: boolean
}

/** The values of keys with a default. Where that is none, the file shows what could be there, and says so. */
function shownBy(shape: Shape, shown: { value: unknown; at: string }): readonly Shown[] {
  const { value, at } = shown
  if (shape.kind === 'list' && Array.isArray(value)) {
    return value.flatMap((item) => shownBy(shape.items, { value: item, at: `${at}[]` }))
  }
  if (shape.kind !== 'object' || typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, own]: [string, unknown]) => {
    const key = shape.keys[name]
    if (key === undefined) return []
    const wanted = key.default
    const place = `${at}.${name}`
    const inner = shownBy(key.shape, { value: own, at: place })
    if (wanted === undefined || isEmpty(wanted)) return inner
    const isDefault = JSON.stringify(own) === JSON.stringify(wanted)
    return [...inner, { at: place, value: own, wanted, isDefault }]
  })
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

function keysOf(shape: ObjectShape): readonly string[] {
  return Object.entries(shape.keys).flatMap(([name, key]) => [name, ...innerKeys(key.shape)])
}

function innerKeys(shape: Shape): readonly string[] {
  if (shape.kind === 'object') return keysOf(shape)
  return shape.kind === 'list' ? innerKeys(shape.items) : []
}
