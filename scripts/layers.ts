/**
 * The rank table: which folder of `src/` may import which, and who may use which npm package. An import may only point
 * to a lower rank; `check-layers.ts` holds the tree against this. CONTRIBUTING.md prints the same table.
 */

export interface Layer {
  /** A folder of `src/`, or a file directly in it (`errors`, `compose`). */
  readonly name: string
  readonly rank: number
  /** Where it may not import all that is of lower rank: what it may. */
  readonly only?: readonly string[]
  /** Paths in `src/` that it may never import, although their rank is lower. */
  readonly never?: readonly string[]
  /** Names of the same rank that it may import all the same. */
  readonly peers?: readonly string[]
}

const facts = ['errors', 'units', 'reasons', 'wire'] as const

/** In order of rank. A name that ends in `*` stands for every file and folder that begins so. */
export const layers: readonly Layer[] = [
  { name: 'errors', rank: 0 },
  { name: 'units', rank: 0 },
  { name: 'load-once', rank: 0 },
  { name: 'reasons', rank: 0 },
  { name: 'wire', rank: 1 },
  { name: 'perimeter', rank: 2 },
  { name: 'policy', rank: 3 },
  { name: 'documents', rank: 3 },
  { name: 'identity', rank: 4 },
  { name: 'audit', rank: 4 },
  { name: 'settings', rank: 4 },
  { name: 'store', rank: 4 },
  { name: 'transport', rank: 5, only: facts },
  { name: 'insight', rank: 5 },
  { name: 'certificates', rank: 5, only: [...facts, 'load-once'] },
  { name: 'inbound', rank: 6, never: ['store'] },
  { name: 'outbound', rank: 6, never: ['store'] },
  { name: 'api', rank: 6, never: ['transport/tunnel'] },
  { name: 'admin', rank: 6 },
  { name: 'load-configuration', rank: 7 },
  { name: 'compose*', rank: 7, peers: ['load-configuration', 'compose*', 'workers'] },
  { name: 'workers', rank: 7 },
  { name: 'console', rank: 7 },
  { name: 'demo', rank: 7, only: [...facts, 'transport'] },
  { name: 'doctor', rank: 7, only: [...facts, 'transport'] },
  { name: 'cli', rank: 8, peers: ['main'] },
  { name: 'main', rank: 8, peers: ['cli'] },
]

/** Each npm package and the one file, or the folders, that may import it. A path without `.ts` is a folder. */
export const packageHomes: Readonly<Record<string, readonly string[]>> = {
  'ipaddr.js': ['wire/address.ts'],
  yaml: ['documents'],
  ajv: ['documents'],
  'ajv-formats': ['documents'],
  jose: ['identity'],
  pino: ['audit/operational-log.ts'],
  'lru-cache': ['policy', 'identity', 'audit', 'settings', 'store', 'transport'],
  'http-proxy': ['inbound/http-proxy.ts'],
  undici: ['outbound/undici.ts', 'compose/fetch-jwks.ts'],
  '@peculiar/x509': ['certificates/authority.ts'],
  '@prometheus-io/client': ['admin'],
  commander: ['cli'],
}

/** Lines that a file may have. Generated files and test data are not `.ts`. */
export const maxLines = { src: 400, scripts: 400, test: 600 } as const

/** Names that say nothing about what is inside. */
export const emptyNames: ReadonlySet<string> = new Set([
  'index',
  'util',
  'utils',
  'helper',
  'helpers',
  'type',
  'types',
  'common',
  'misc',
  'shared',
])
