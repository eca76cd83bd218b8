import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { blocksOf } from '../../scripts/readme-examples.ts'
import { runCheck } from '../../src/cli/commands/check.ts'

const readme = readFileSync(path.resolve(import.meta.dirname, '../../README.md'), 'utf8')

/** Parts of settings in the README, each found by what it holds. */
const examples = [
  { note: 'its member that speaks TCP', holds: 'backend: tcp://', resource: 'ledger' },
  { note: 'its private endpoint', holds: 'privateEndpoints:', resource: 'orders' },
  { note: 'its gateway', holds: 'callers:', resource: 'orders', listeners: '0 inbound listeners' },
]

for (const { note, holds, resource, listeners = '1 inbound listener' } of examples) {
  void t.test(`README: ${note} passes check`, async (t) => {
    const found = blocksOf(readme, 'yml').filter((text) => text.includes(holds))
    t.equal(found.length, 1)
    const folder = t.testdir({
      'ringfence.yaml': `scope: { subscriptionId: 11111111-1111-1111-1111-111111111111, resourceGroup: shop }
policy: { files: ["perimeters/*.yaml"] }
${found[0]}`,
      perimeters: {
        'shop.yaml': `name: shop
profiles: [{ name: books }]
resourceAssociations:
  - { name: one, privateLinkResource: { id: ${resource} }, profile: { id: books }, accessMode: Enforced }
`,
      },
    })
    const said: string[] = []
    const say = (text: string): number => said.push(text)
    const config = path.join(folder, 'ringfence.yaml')
    const code = await runCheck({ config, json: false, azure: false, out: say, err: say })
    t.equal(code, 0, said.join(''))
    t.match(said.join(''), `1 perimeter, 1 resource, ${listeners}, `)
    t.match(said.join(''), '; 0 warnings')
  })
}

void t.test('every way to start it gives the engine the same flag', async (t) => {
  const flag = '--max-semi-space-size=4'
  const root = path.resolve(import.meta.dirname, '../..')
  const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')
  t.equal(read('src/main.ts').split('\n')[0], `#!/usr/bin/env -S node ${flag}`)
  t.match(read('Dockerfile'), `ENTRYPOINT ["node", "${flag}", "dist/main.js"]`)
  t.match(read('package.json'), `"ringfence": "node ${flag} src/main.ts"`)
})
