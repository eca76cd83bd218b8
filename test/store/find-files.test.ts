import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { findFiles } from '../../src/store/find-files.ts'

const tree = {
  perimeters: {
    'a.yaml': '',
    'b.yaml': '',
    'c.json': '',
    '.hidden.yaml': '',
    'd.yaml': { 'inner.yaml': '' },
    team: { 'e.yaml': '' },
  },
  other: { 'f.yaml': '' },
}

const cases = [
  {
    note: 'a star, whatever it finds: reading says what is no document',
    pattern: 'perimeters/*.yaml',
    files: ['a.yaml', 'b.yaml', 'd.yaml'],
  },
  { note: 'a question mark', pattern: 'perimeters/?.json', files: ['c.json'] },
  { note: 'two stars are one', pattern: 'perimeters/**.json', files: ['c.json'] },
  { note: 'what is special to regular expressions is not', pattern: 'perimeters/a.y+*', files: [] },
  {
    note: 'stars that must give back',
    pattern: 'perimeters/*a*ml',
    files: ['a.yaml', 'b.yaml', 'd.yaml'],
  },
  { note: 'a star at the end', pattern: 'perimeters/c.*', files: ['c.json'] },
  { note: 'too few characters', pattern: 'perimeters/??.json', files: [] },
  { note: 'no match', pattern: 'perimeters/*.txt', files: [] },
  { note: 'a directory that is not there', pattern: 'nowhere/*.yaml', files: [] },
  { note: 'one file', pattern: 'perimeters/a.yaml', files: ['a.yaml'] },
  { note: 'one file that is not there', pattern: 'perimeters/z.yaml', files: ['z.yaml'] },
]

for (const { note, pattern, files } of cases) {
  void t.test(`findFiles: ${note}`, async (t) => {
    const directory = t.testdir(tree)
    const found = await findFiles(pattern, directory)
    t.same(
      found.files,
      files.map((name) => join(directory, 'perimeters', name)),
    )
    const parent = join(directory, pattern.slice(0, pattern.indexOf('/')))
    t.ok(found.directories.includes(parent), 'the directory is told even if it holds nothing')
  })
}

void t.test('findFiles: wildcards in directories, all directories told', async (t) => {
  const directory = t.testdir(tree)
  const found = await findFiles('*/*/*.yaml', directory)
  t.same(found.files, [
    join(directory, 'perimeters', 'd.yaml', 'inner.yaml'),
    join(directory, 'perimeters', 'team', 'e.yaml'),
  ])
  for (const expected of ['', 'perimeters', 'other', join('perimeters', 'team')]) {
    t.ok(found.directories.includes(join(directory, expected)), expected)
  }
})

void t.test('findFiles: follows the links of a Kubernetes ConfigMap, once each', async (t) => {
  const directory = t.testdir({ '..2026_01': { 'shop.yaml': '' } })
  await symlink('..2026_01', join(directory, '..data'))
  await symlink(join('..data', 'shop.yaml'), join(directory, 'shop.yaml'))
  await symlink('nothing', join(directory, 'dangling.yaml'))
  const { files } = await findFiles('*.yaml', directory)
  t.same(files, [join(directory, 'dangling.yaml'), join(directory, 'shop.yaml')])
})
