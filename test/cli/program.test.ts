import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { runCommandLine } from '../../src/cli/program.ts'
import { mainFile, perimeterDocument, scope, spawnRingfence } from '../support/ringfence.ts'

interface Ran {
  readonly exitCode: number
  readonly out: string
  readonly err: string
}

async function run(...args: readonly string[]): Promise<Ran> {
  let out = ''
  let err = ''
  const exitCode = await runCommandLine(args, {
    out: (text) => (out += text),
    err: (text) => (err += text),
  })
  return { exitCode, out, err }
}

const commands = [
  'run',
  'check',
  'explain',
  'doctor',
  'decide',
  'certificates',
  'demo',
  'hash-secret',
]

void t.test('--help lists every command', async (t) => {
  const { exitCode, out, err } = await run('--help')
  t.strictSame([exitCode, err], [0, ''])
  for (const command of commands) t.match(out, new RegExp(`^  ${command} `, 'm'))
})

void t.test('--help of a command shows an example of it', async (t) => {
  for (const command of commands) {
    const { exitCode, out } = await run(command, '--help')
    t.equal(exitCode, 0, command)
    t.match(out, new RegExp(`\\nExamples?:\\n +.*ringfence ${command}`), command)
  }
})

void t.test('help COMMAND is COMMAND --help, help alone is --help', async (t) => {
  for (const [asked, like] of [
    [['help'], ['--help']],
    ...commands.map((command) => [
      ['help', command],
      [command, '--help'],
    ]),
  ] as const) {
    t.strictSame(await run(...asked), { ...(await run(...like)), exitCode: 0 })
  }
})

void t.test('--version prints that of package.json', async (t) => {
  const manifest: unknown = JSON.parse(
    await readFile(new URL('../../package.json', import.meta.url), 'utf8'),
  )
  const { exitCode, out } = await run('--version')
  t.equal(exitCode, 0)
  t.match(manifest, { version: out.trim() })
})

void t.test('wrong usage is exit code 2 and one readable line with a hint', async (t) => {
  const cases: readonly { readonly args: readonly string[]; readonly says: RegExp }[] = [
    { args: ['enforce'], says: /^error: unknown command 'enforce'/ },
    { args: ['chek'], says: /did you mean check\?/i },
    { args: ['run', '--port', '1'], says: /^error: unknown option '--port'/ },
    { args: ['run', '--config'], says: /^error: option '-c, --config <file>' argument missing/ },
    { args: ['run', 'extra'], says: /^error: too many arguments/ },
    { args: ['explain', 'inbound'], says: /^error: required option '--resource <id>'/ },
    { args: ['explain', 'sideways', '--resource', 'a'], says: /inbound/ },
    {
      args: ['explain', 'inbound', '--resource', 'a', '--source', 'b', '--source', 'c'],
      says: /^error: option '--source' is given twice/,
    },
    {
      args: ['explain', 'inbound', '--resource', 'a', '--resource', 'b'],
      says: /^error: option '--resource' is given twice/,
    },
    { args: ['help', 'chek'], says: /^error: unknown command 'chek'/ },
    { args: ['help', 'check', 'run'], says: /^error: too many arguments/ },
    { args: ['explain', 'inbound', '--resource', 'a', '--source', 'b'], says: /`b`/ },
  ]
  for (const { args, says } of cases) {
    const { exitCode, out, err } = await run(...args)
    t.equal(exitCode, 2, args.join(' '))
    t.match(err, says, args.join(' '))
    t.equal(out, '', args.join(' '))
    t.notMatch(err, /\n +at /, 'no stack')
  }
})

void t.test('--config counts before a command and behind it, but not both', async (t) => {
  const folder = t.testdir({ 'good.yaml': 'policy: {}\n' })
  const file = join(folder, 'good.yaml')
  const named = /good\.yaml:1:9: error: /
  for (const args of [
    ['--config', file, 'check'],
    ['check', '--config', file],
    ['-c', file, 'check', '--json'],
    [`--config=${file}`, 'explain', 'inbound', '--resource', 'a', '--source', '10.0.0.1'],
  ]) {
    const { exitCode, out, err } = await run(...args)
    t.equal(exitCode, 1, args.join(' '))
    t.match(args.includes('--json') ? JSON.stringify(JSON.parse(out)) : out + err, 'good.yaml')
    t.match(args.includes('--json') ? '' : out + err, args.includes('--json') ? '' : named)
  }
  for (const [args, says] of [
    [['--config', file, 'check', '--config', file], /^error: option '--config' is given twice/],
    [['--config', file, 'demo'], /^error: option '--config' does not belong to demo/],
    [['--config', file], /^Usage: ringfence/],
    [['--config', file, 'chek'], /^error: unknown command 'chek'/],
  ] as const) {
    const { exitCode, err } = await run(...args)
    t.equal(exitCode, 2, args.join(' '))
    t.match(err, says, args.join(' '))
  }
})

void t.test('without a command it shows the help and fails', async (t) => {
  const { exitCode, err } = await run()
  t.equal(exitCode, 2)
  t.match(err, /^Usage: ringfence/)
})

void t.test('run says each problem in one line and exits with 1', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ringfence-cli-'))
  t.teardown(() => rm(folder, { recursive: true }))

  await t.test('a file that is not there', async (t) => {
    const instance = spawnRingfence(t, ['run', '--config', join(folder, 'nothing.yaml')])
    t.equal(await instance.exited, 1)
    t.match(instance.stderr(), /^ringfence: .*nothing\.yaml:1:1: error: the file does not exist\n$/)
    t.equal(instance.stdout(), '')
  })

  await t.test('several problems in one run', async (t) => {
    const file = join(folder, 'ringfence.yaml')
    await writeFile(
      file,
      'policy: { files: ["nothing/*.yaml"] }\nextra: 1\nlimits: { headers: 2 }\n',
    )
    const instance = spawnRingfence(t, ['run', '--config', file])
    t.equal(await instance.exited, 1)
    const lines = instance.stderr().trimEnd().split('\n')
    t.ok(lines.length >= 3)
    for (const line of lines)
      t.match(line, /^ringfence: .*ringfence\.yaml:\d+:\d+: (error|warning): /)
  })
})

void t.test('a reader that goes away is no error', async (t) => {
  const shell = `"${process.execPath}" "${mainFile}" --help | head -n 1`
  const { status, stdout, stderr } = spawnSync('bash', ['-o', 'pipefail', '-c', shell], {
    encoding: 'utf8',
  })
  t.strictSame([status, stderr], [0, ''])
  t.match(stdout, /^Usage: ringfence/)
})

void t.test(
  'a slow reader of many decisions gets them all, one that leaves ends nothing',
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'ringfence-cli-'))
    t.teardown(() => rm(folder, { recursive: true }))
    const config = join(folder, 'ringfence.yaml')
    await writeFile(
      config,
      JSON.stringify({
        scope,
        policy: { files: ['shop.yaml'] },
        resources: [{ id: 'orders', hosts: ['orders.test'], endpoint: 'orders.test:443' }],
      }),
    )
    await writeFile(join(folder, 'shop.yaml'), JSON.stringify(perimeterDocument('shop', {})))
    const question = {
      direction: 'Outbound',
      resource: 'orders',
      destination: { fqdn: 'a.test', port: 443 },
    }
    const questions = `${JSON.stringify(question)}\n`.repeat(5000)
    const decide = `"${process.execPath}" "${mainFile}" decide --config "${config}"`
    const all = spawnSync('bash', ['-o', 'pipefail', '-c', `${decide} | (sleep 0.3; wc -l)`], {
      input: questions,
      encoding: 'utf8',
    })
    t.strictSame([all.status, all.stdout.trim(), all.stderr], [0, '5000', ''])
    const some = spawnSync('bash', ['-o', 'pipefail', '-c', `${decide} | head -n 1`], {
      input: questions,
      encoding: 'utf8',
    })
    t.strictSame([some.status, some.stderr], [0, ''])
  },
)

void t.test('main refuses an old Node with one line before anything else', async (t) => {
  // What the file does is independent of where it runs: show it a version that is too old.
  const source = await readFile(mainFile, 'utf8')
  const old = source.replaceAll('process.versions.node', "'20.20.2'")
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', old],
    { encoding: 'utf8' },
  )
  t.strictSame([status, stdout], [2, ''])
  t.equal(stderr, 'ringfence needs Node.js 24 or newer, this is 20.20.2\n')
  t.notMatch(source, /^import [^;]*from '\.\//m, 'nothing of ours is loaded before the check')
})
