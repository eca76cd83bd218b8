import { join } from 'node:path'
import t from 'tap'
import { loadPerimeterFile } from '../../src/store/load-perimeters.ts'

const samples = join(import.meta.dirname, 'samples')
const options = {
  scope: {
    subscriptionId: '11111111-1111-1111-1111-111111111111',
    resourceGroup: 'shop',
  },
  resources: { ids: [], areAll: true },
  serviceTags: 'no-file' as const,
}

async function load(name: string) {
  const { perimeters, findings } = await loadPerimeterFile(join(samples, name), options)
  return { perimeters: perimeters.map(({ perimeter }) => perimeter), problems: findings.problems }
}

for (const name of ['rest-bodies.json', 'template-nested.json', 'template-flat.json']) {
  void t.test(`loadPerimeterFile: ${name} is the same perimeter as native.yaml`, async (t) => {
    const native = await load('native.yaml')
    const foreign = await load(name)
    t.same(native.problems, [])
    t.same(foreign.problems, [], 'what Azure prints and decides nothing goes without a word')
    t.equal(native.perimeters.length, 1)
    t.strictSame(foreign.perimeters, native.perimeters)
  })
}

void t.test('loadPerimeterFile: a single body of the REST API is read', async (t) => {
  const directory = t.testdir({
    'perimeter.json': JSON.stringify({
      id: '/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/other/providers/Microsoft.Network/networkSecurityPerimeters/stock',
      location: 'local',
      properties: {},
    }),
  })
  const { perimeters } = await loadPerimeterFile(join(directory, 'perimeter.json'), options)
  t.match(perimeters, [{ perimeter: { name: 'stock', id: { resourceGroup: 'other' } } }])
})

void t.test('loadPerimeterFile: a perimeter takes what it lacks from the scope', async (t) => {
  const directory = t.testdir({ 'stock.yaml': 'name: stock\n' })
  const { perimeters } = await loadPerimeterFile(join(directory, 'stock.yaml'), options)
  t.match(perimeters, [
    {
      perimeter: {
        location: 'local',
        id: {
          text: '/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Network/networkSecurityPerimeters/stock',
        },
        // Python: uuid.uuid5(uuid.NAMESPACE_URL, <the id in lower case>)
        guid: '0ea996dc-843a-5b2c-9117-f29674a5fb0b',
      },
    },
  ])
})
