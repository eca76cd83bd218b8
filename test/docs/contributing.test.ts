import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { layers } from '../../scripts/layers.ts'

const root = path.resolve(import.meta.dirname, '../..')
const contributing = readFileSync(path.join(root, 'CONTRIBUTING.md'), 'utf8')

void t.test(
  'CONTRIBUTING: its rank table names every layer that exists, under its rank',
  async (t) => {
    const rows = [...contributing.matchAll(/^\| (\d) \| ([^|]*) \|/gm)]
    for (const { name, rank } of layers) {
      const bare = name.replace('*', '')
      if (globSync(`src/${bare}{,.ts}`, { cwd: root }).length === 0) continue
      const row = rows.find(([, number]) => Number(number) === rank)
      t.match(row?.[2], `\`${bare}\``, `${bare} has rank ${rank}`)
    }
  },
)

void t.test('CONTRIBUTING: the files of its recipes exist', async (t) => {
  const recipes = contributing.slice(
    contributing.indexOf('## Recipes'),
    contributing.indexOf('## Decision records'),
  )
  const files = [...recipes.matchAll(/`([a-z-]+\/[a-z./-]+|[a-z-]+\.ts)`/g)].map(
    ([, file = '']) => file,
  )
  t.ok(files.length > 10)
  for (const file of files) {
    const places = ['src', '.'].map((place) => path.join(root, place, file))
    t.ok(
      places.some((place) => existsSync(place)),
      file,
    )
  }
})

void t.test('each folder of src says what it is for', async (t) => {
  const folders = globSync('src/*/', { cwd: root })
  t.ok(folders.length > 10)
  for (const folder of folders) t.ok(existsSync(path.join(root, folder, 'README.md')), folder)
})

void t.test('CONTRIBUTING: fits on two pages, and its decisions are dated', async (t) => {
  t.ok(contributing.split('\n').length <= 150)
  const [, records = ''] = contributing.split('## Decision records')
  const starts = records.split('\n\n').filter((paragraph) => paragraph.startsWith('**'))
  t.ok(starts.length > 5)
  for (const start of starts) t.match(start, /^\*\*\d{4}-\d{2}-\d{2} [^*]+\.\*\*/)
})

void t.test(
  'CHANGELOG: begins with the version of the package and says what changes decisions',
  async (t) => {
    const changelog = readFileSync(path.join(root, 'CHANGELOG.md'), 'utf8')
    const manifest = readFileSync(path.join(root, 'package.json'), 'utf8')
    const [, version = ''] = /"version": "([^"]+)"/.exec(manifest) ?? []
    const [, first = ''] = /^## \[([^\]]+)\] - \d{4}-\d{2}-\d{2}$/m.exec(changelog) ?? []
    t.equal(first, version)
    t.match(changelog, '### Security')
    const [, semantics = ''] = /### Semantics\n\n([\s\S]*?)\n\n###/.exec(changelog) ?? []
    for (const line of semantics.split('\n')) t.match(line, /^(- \\\* | {2})/, 'each has its star')
  },
)
