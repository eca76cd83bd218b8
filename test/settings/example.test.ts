import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
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

function keysOf(shape: ObjectShape): readonly string[] {
  return Object.entries(shape.keys).flatMap(([name, key]) => [name, ...innerKeys(key.shape)])
}

function innerKeys(shape: Shape): readonly string[] {
  if (shape.kind === 'object') return keysOf(shape)
  return shape.kind === 'list' ? innerKeys(shape.items) : []
}
