import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import { runCheck } from '../../src/cli/commands/check.ts'

/**
 * Runs `check` over the cases of test/golden/check. A case is one file: a note, then sections `=== NAME`, each a file of
 * the configuration, and last `=== output`, what is printed, the exit code included. Files that a case leaves out are the
 * good ones below. `=== azure` asks for Azure's limits. UPDATE_GOLDEN=1 writes the output anew.
 */

const goldenDirectory = join(import.meta.dirname, '..', 'golden', 'check')

const goodSettings = `scope: { subscriptionId: 11111111-1111-1111-1111-111111111111, resourceGroup: shop }
policy: { files: ["perimeters/*"] }
resources:
  - { id: orders, hosts: [orders.localhost], backend: "http://127.0.0.1:10000" }
inbound:
  - { name: public, listen: { host: 127.0.0.1, port: 8080 } }
`

const goodPerimeter = `name: shop
profiles:
  - name: web
    accessRules:
      - { name: office, addressPrefixes: [203.0.113.0/24] }
resourceAssociations:
  - { name: orders, privateLinkResource: { id: orders }, profile: { id: web }, accessMode: Enforced }
`

interface Case {
  readonly note: string
  readonly files: ReadonlyMap<string, string>
  readonly azure: boolean
  readonly output: string
}

for (const name of (await readdir(goldenDirectory)).toSorted()) {
  const file = join(goldenDirectory, name)
  const golden = parseCase(await readFile(file, 'utf8'))
  void t.test(`runCheck: ${golden.note} (${name})`, async (t) => {
    const directory = t.testdir({})
    await writeFiles(directory, golden.files)
    const output = await check(directory, golden)
    if (process.env['UPDATE_GOLDEN'] === '1') await writeFile(file, withOutput(golden, output))
    else t.equal(output, golden.output)
    t.notMatch(output, /^\s+at /m, 'no stack trace')
  })
}

void t.test('runCheck: prints an array with --json', async (t) => {
  const directory = t.testdir({ 'ringfence.yaml': 'policy: {}\n' })
  const config = join(directory, 'ringfence.yaml')
  const printed: string[] = []
  const out = (text: string) => void printed.push(text)
  const exitCode = await runCheck({ config, json: true, azure: false, out, err: out })
  t.equal(exitCode, 1)
  t.match(JSON.parse(printed.join('')), [
    { severity: 'error', line: 1, column: 9, message: 'the key `files` is missing in `policy`' },
  ])
})

void t.test('runCheck: wrong usage ends with 2', async (t) => {
  const printed: string[] = []
  const err = (text: string) => void printed.push(text)
  const exitCode = await runCheck({ config: '', json: false, azure: false, out: err, err })
  t.equal(exitCode, 2)
  t.match(printed.join(''), /--config FILE/)
})

async function check(directory: string, golden: Case): Promise<string> {
  const printed: string[] = []
  const exitCode = await runCheck({
    config: join(directory, 'ringfence.yaml'),
    json: false,
    azure: golden.azure,
    out: (text) => void printed.push(text),
    err: (text) => void printed.push(text),
  })
  const text = `${printed.join('')}exit ${exitCode}\n`
  const short = relative(process.cwd(), directory)
  return text.replaceAll(`${directory}/`, '').replaceAll(`${short}/`, '')
}

async function writeFiles(directory: string, files: ReadonlyMap<string, string>): Promise<void> {
  const hasPerimeter = [...files.keys()].some((name) => name.startsWith('perimeters/'))
  const all = new Map([['ringfence.yaml', goodSettings], ...files])
  if (!hasPerimeter) all.set('perimeters/shop.yaml', goodPerimeter)
  for (const [name, text] of all) {
    const path = join(directory, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
}

function parseCase(text: string): Case {
  const [note = '', ...sections] = text.split(/^=== /m)
  const entries = sections.map((section): readonly [string, string] => {
    const end = section.indexOf('\n')
    return [section.slice(0, end), section.slice(end + 1)]
  })
  const byName = new Map(entries)
  return {
    note: note.trim(),
    files: new Map(entries.filter(([name]) => name !== 'output' && name !== 'azure')),
    azure: byName.has('azure'),
    output: byName.get('output') ?? '',
  }
}

function withOutput(golden: Case, output: string): string {
  const sections = [
    ...golden.files,
    ...(golden.azure ? [['azure', ''] as const] : []),
    ['output', output] as const,
  ]
  return `${golden.note}\n${sections.map(([name, text]) => `=== ${name}\n${text}`).join('')}`
}
