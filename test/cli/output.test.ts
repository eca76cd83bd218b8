import { spawnSync } from 'node:child_process'
import path from 'node:path'
import t from 'tap'
import { seconds } from '../../src/units.ts'

const root = path.resolve(import.meta.dirname, '../..')
const ringfence = `"${process.execPath}" src/main.ts`
const config = '--config config/ringfence.example.yaml'
const question = '{"direction":"Outbound","resource":"orders","destination":{"fqdn":"a.example"}}'

function shell(command: string): { status: number | null; stdout: string; stderr: string } {
  const { NODE_OPTIONS: _, ...env } = process.env
  const options = { cwd: root, env, encoding: 'utf8', timeout: seconds(30) } as const
  return spawnSync('bash', ['-c', command], options)
}

void t.test('decide ends with its reader, however much there is to decide', async (t) => {
  const { status, stdout, stderr } = shell(
    `yes '${question}' | ${ringfence} decide ${config} | head -n 1; echo "$\{PIPESTATUS[1]}"`,
  )
  t.equal(status, 0, stderr)
  t.equal(stdout.trim().split('\n').length, 2)
  t.match(stdout, /\n[01]\n$/)
})

for (const command of [
  `check ${config}`,
  'check --help',
  `explain outbound ${config} --resource orders --destination a.example`,
]) {
  void t.test(`ringfence ${command}: a result that cannot be kept is told`, async (t) => {
    const { status, stderr } = shell(`${ringfence} ${command} > /dev/full`)
    t.equal(status, 1)
    t.match(stderr, /^ringfence: the output cannot be written: ENOSPC\n$/)
  })
}

void t.test('ringfence check: standard error that cannot be written changes nothing', async (t) => {
  t.equal(shell(`${ringfence} check ${config} > /dev/null 2> /dev/full`).status, 0)
})
