import t from 'tap'
import { findProblems } from '../../scripts/check-layers.ts'

interface Case {
  readonly note: string
  readonly files: Readonly<Record<string, string>>
  readonly want: readonly string[]
}

const cases: readonly Case[] = [
  {
    note: 'a lower rank may be imported',
    files: { 'src/wire/host.ts': "import { KiB } from '../units.ts'\n", 'src/units.ts': '' },
    want: [],
  },
  {
    note: 'the own folder may be imported',
    files: { 'src/wire/a.ts': "import { b } from './b.ts'\n", 'src/wire/b.ts': '' },
    want: [],
  },
  {
    note: 'a higher rank may not',
    files: { 'src/wire/a.ts': "import { x } from '../policy/x.ts'\n", 'src/policy/x.ts': '' },
    want: ['src/wire/a.ts: wire (rank 1) imports policy (rank 3): only lower ranks'],
  },
  {
    note: 'a neighbour of the same rank may not',
    files: {
      'src/inbound/a.ts': "import type { x } from '../outbound/x.ts'\n",
      'src/outbound/x.ts': '',
    },
    want: ['src/inbound/a.ts: inbound (rank 6) imports outbound (rank 6): only lower ranks'],
  },
  {
    note: 'transport knows facts only, although policy is of lower rank',
    files: { 'src/transport/a.ts': "import { x } from '../policy/x.ts'\n", 'src/policy/x.ts': '' },
    want: [
      'src/transport/a.ts: transport may only import errors, units, reasons, wire, not policy',
    ],
  },
  {
    note: 'a proxy never knows a store',
    files: { 'src/inbound/a.ts': "import { x } from '../store/x.ts'\n", 'src/store/x.ts': '' },
    want: ['src/inbound/a.ts: inbound never imports `store`'],
  },
  {
    note: 'compose and its parts may import each other and what loads the configuration',
    files: {
      'src/compose.ts':
        "import { a } from './compose-listeners.ts'\nimport { b } from './load-configuration.ts'\n",
      'src/compose-listeners.ts': "import { c } from './compose/restart.ts'\n",
      'src/compose/restart.ts': '',
      'src/load-configuration.ts': '',
    },
    want: [],
  },
  {
    note: 'an import over several lines is seen',
    files: {
      'src/wire/a.ts': "import {\n  x,\n  y,\n} from '../policy/x.ts'\n",
      'src/policy/x.ts': '',
    },
    want: ['src/wire/a.ts: wire (rank 1) imports policy (rank 3): only lower ranks'],
  },
  {
    note: 'a dynamic import is an import',
    files: {
      'src/wire/a.ts': "const x = await import('../policy/x.ts')\n",
      'src/policy/x.ts': '',
    },
    want: ['src/wire/a.ts: wire (rank 1) imports policy (rank 3): only lower ranks'],
  },
  {
    note: 'an example in a comment is not',
    files: {
      'src/wire/a.ts': "/**\n * import { x } from '../policy/x.ts'\n */\n// import 'left-pad'\n",
    },
    want: [],
  },
  {
    note: 'a package outside its adapter file',
    files: { 'src/wire/hostname.ts': "import ipaddr from 'ipaddr.js'\n" },
    want: ['src/wire/hostname.ts: `ipaddr.js` may only be imported in wire/address.ts'],
  },
  {
    note: 'a package that nobody gave a home',
    files: { 'src/wire/a.ts': "import pad from '@left/pad/now'\n" },
    want: ['src/wire/a.ts: `@left/pad` has no home: add it to scripts/layers.ts'],
  },
  {
    note: 'a built-in module without its scheme',
    files: { 'src/wire/a.ts': "import { isIP } from 'net'\n" },
    want: ['src/wire/a.ts: `net` is written `node:net`'],
  },
  {
    note: 'a folder without a rank',
    files: { 'src/misc-things/a.ts': '' },
    want: ['src/misc-things/a.ts: has no rank: add it to scripts/layers.ts'],
  },
  {
    note: 'an import of tests',
    files: { 'src/wire/a.ts': "import { x } from '../../test/x.ts'\n" },
    want: ['src/wire/a.ts: `test/x.ts` is not in src/'],
  },
  {
    note: 'an import of nothing',
    files: { 'src/wire/a.ts': "import { x } from './gone.ts'\n" },
    want: ['src/wire/a.ts: `src/wire/gone.ts` does not exist'],
  },
  {
    note: 'a cycle, types included, is told once',
    files: {
      'src/wire/a.ts': "import { b } from './b.ts'\n",
      'src/wire/b.ts': "import { c } from './c.ts'\n",
      'src/wire/c.ts': "import type { a } from './a.ts'\n",
    },
    want: [
      'src/wire/a.ts: an import cycle: src/wire/a.ts → src/wire/b.ts → src/wire/c.ts → src/wire/a.ts',
    ],
  },
  {
    note: 'a default export and a re-export',
    files: {
      'src/wire/a.ts': "export default 1\nexport { b } from './b.ts'\n",
      'src/wire/b.ts': '',
    },
    want: [
      'src/wire/a.ts: a default export: export the name',
      'src/wire/a.ts: a re-export: import from the file that owns the name',
    ],
  },
  {
    note: 'names that say nothing, or shout',
    files: { 'src/wire/utils.ts': '', 'test/wire/types.test.ts': '', 'src/wire/HeadParser.ts': '' },
    want: [
      'src/wire/HeadParser.ts: a file name is kebab-case',
      'src/wire/utils.ts: `utils` says nothing about what is inside',
      'test/wire/types.test.ts: `types` says nothing about what is inside',
    ],
  },
  {
    note: 'files of 400 and 600 lines pass, one more does not',
    files: {
      'src/wire/a.ts': '\n'.repeat(400),
      'src/wire/b.ts': '\n'.repeat(401),
      'test/wire/a.test.ts': '\n'.repeat(600),
      'test/wire/b.test.ts': '\n'.repeat(601),
    },
    want: [
      'src/wire/b.ts: 401 lines, 400 are allowed: split it',
      'test/wire/b.test.ts: 601 lines, 600 are allowed: split it',
    ],
  },
]

void t.test('findProblems', async (t) => {
  for (const { note, files, want } of cases) {
    t.strictSame(findProblems(new Map(Object.entries(files))), want, note)
  }
})
