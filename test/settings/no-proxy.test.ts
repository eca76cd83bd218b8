import t from 'tap'
import { isExempt, parseNoProxy } from '../../src/settings/no-proxy.ts'
import { authority } from '../support/settings-parts.ts'

const cases: readonly { entry: string; direct: readonly string[]; through: readonly string[] }[] = [
  {
    entry: 'db.example',
    direct: ['db.example:443', 'DB.Example.:80'],
    through: ['a.db.example:443', 'xdb.example:443', 'example:443', '10.0.0.1:443'],
  },
  {
    entry: '*.corp.example',
    direct: ['a.corp.example:1', 'a.b.corp.example:1'],
    through: ['corp.example:1', 'acorp.example:1', 'a.corp.example.com:1'],
  },
  { entry: '.internal', direct: ['a.internal:1'], through: ['internal:1', 'ainternal:1'] },
  { entry: 'db.example:5432', direct: ['db.example:5432'], through: ['db.example:5433'] },
  { entry: '*.corp.example:80', direct: ['a.corp.example:80'], through: ['a.corp.example:81'] },
  {
    entry: '10.0.0.0/8',
    direct: ['10.1.2.3:443', '[::ffff:10.1.2.3]:443', '[::ffff:a01:203]:443'],
    through: ['11.0.0.1:443', '[::10.1.2.3]:443', '10.example:443'],
  },
  { entry: '192.0.2.1', direct: ['192.0.2.1:1'], through: ['192.0.2.2:1'] },
  { entry: '192.0.2.1:443', direct: ['192.0.2.1:443'], through: ['192.0.2.1:80'] },
  { entry: 'fd00::/8', direct: ['[fd12::1]:1'], through: ['[fe00::1]:1'] },
  { entry: '[fd00::/8]:443', direct: ['[fd12::1]:443'], through: ['[fd12::1]:80'] },
]

void t.test('isExempt: what is reached directly, and what is not', (t) => {
  for (const { entry, direct, through } of cases) {
    const parsed = parseNoProxy(entry)
    const list = parsed === undefined ? [] : [parsed]
    for (const text of direct) t.equal(isExempt(list, authority(text)), true, `${entry} ${text}`)
    for (const text of through) t.equal(isExempt(list, authority(text)), false, `${entry} ${text}`)
  }
  t.equal(isExempt([], authority('a.example:1')), false)
  t.end()
})

const refused = [
  '',
  '*',
  '.',
  '*.',
  'a..b',
  '*.*.example',
  'a.*.example',
  '10.0.0.1/8',
  '10.0.0',
  '::ffff:10.0.0.0/104',
  'db.example.',
  'db.example:',
  'db.example:0',
  'db.example:65536',
  'db.example:080',
  '[db.example]:80',
  '[10.0.0.1]:80',
  '[fd00::1]',
  'https://db.example',
  'user@db.example',
  'db.example,other.example',
  ' db.example',
  'bücher.example',
]

void t.test('parseNoProxy: takes nothing that it would have to guess at', (t) => {
  for (const text of refused) t.equal(parseNoProxy(text), undefined, text)
  t.end()
})
