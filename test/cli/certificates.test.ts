import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runCommandLine } from '../../src/cli/program.ts'

const group = '/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers'
const orders = `${group}/Ringfence.Local/services/orders`
const stock = `${group}/Ringfence.Local/services/stock`
const perimeter = '7d0c2c1e-5a0f-4e0f-9a43-0d3a5a3f7b11'

async function run(...args: readonly string[]) {
  let out = ''
  let err = ''
  const exitCode = await runCommandLine(['certificates', ...args], {
    out: (text) => (out += text),
    err: (text) => (err += text),
  })
  return { exitCode, out, err }
}

void t.test('certificates: makes a set that verifies, keys for their owner alone', async (t) => {
  const folder = join(t.testdir({}), 'made')
  const members = ['--member', orders, '--member', stock]
  const hosts = ['--host', 'orders.test', '192.0.2.1']
  const ran = await run('--into', folder, '--perimeter', perimeter, ...members, ...hosts)
  t.strictSame([ran.exitCode, ran.err], [0, ''])
  const names = ['ca', 'orders', 'server', 'stock']
  const files = ['ca.crl', ...names.flatMap((name) => [`${name}.key`, `${name}.pem`])].toSorted()
  t.strictSame(readdirSync(folder).toSorted(), files)
  for (const file of files) {
    t.match(ran.out, join(folder, file))
    const mode = statSync(join(folder, file)).mode & 0o777
    t.equal(mode & 0o077 & (file.endsWith('.key') ? 0o077 : 0), 0, file)
  }
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  t.equal(
    new X509Certificate(read('orders.pem')).subjectAltName,
    `URI:spiffe://${perimeter}${orders}`,
  )
  const server = new X509Certificate(read('server.pem'))
  for (const host of ['orders.test', 'localhost']) t.ok(server.checkHost(host), host)
  for (const address of ['192.0.2.1', '127.0.0.1', '::1']) t.ok(server.checkIP(address), address)
  const trust = ['-CAfile', join(folder, 'ca.pem'), '-CRLfile', join(folder, 'ca.crl')]
  for (const [name, purpose] of [
    ['orders', 'sslclient'],
    ['orders', 'sslserver'],
    ['server', 'sslserver'],
  ] as const) {
    const how = ['verify', '-crl_check', '-purpose', purpose, ...trust]
    const said = execFileSync('openssl', [...how, join(folder, `${name}.pem`)], {
      encoding: 'utf8',
    })
    t.match(said, /: OK$/m, `${name} as ${purpose}`)
  }
})

void t.test('certificates: overwrites nothing, and then writes nothing', async (t) => {
  const folder = t.testdir({})
  mkdirSync(join(folder, 'made'))
  writeFileSync(join(folder, 'made', 'orders.key'), 'mine')
  const ran = await run(
    '--into',
    join(folder, 'made'),
    '--perimeter',
    perimeter,
    '--member',
    orders,
  )
  t.equal(ran.exitCode, 1)
  t.match(ran.err, /orders\.key` is there already/)
  t.strictSame(readdirSync(join(folder, 'made')), ['orders.key'])
  t.equal(readFileSync(join(folder, 'made', 'orders.key'), 'utf8'), 'mine')
})

void t.test('certificates: a perimeter by its resource id has the default GUID', async (t) => {
  const folder = t.testdir({})
  const id = `${group}/Microsoft.Network/networkSecurityPerimeters/shop`
  const ran = await run('--into', folder, '--perimeter', id, '--member', orders)
  t.equal(ran.exitCode, 0)
  t.match(ran.out, `orders.pem is spiffe://`)
  t.match(ran.out, /spiffe:\/\/[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f-]{21}\/subscriptions/)
})

void t.test('certificates: says what it cannot make', async (t) => {
  const folder = t.testdir({})
  const given = ['--into', folder, '--perimeter', perimeter]
  const cases: readonly { readonly args: readonly string[]; readonly says: RegExp }[] = [
    { args: ['--into', folder], says: /--perimeter/ },
    { args: ['--into', folder, '--perimeter', 'shop'], says: /neither a GUID nor/ },
    { args: [...given, '--member', 'orders'], says: /`orders` is not a resource id/ },
    { args: [...given, '--member', orders, orders.toUpperCase()], says: /two certificates/ },
    { args: [...given, '--member', orders.replace(/orders$/, 'ca')], says: /two certificates/ },
    { args: [...given, '--member', orders.replace('/shop/', '/a(b)/')], says: /SPIFFE/ },
    { args: [...given, '--host', 'a b'], says: /neither a host name nor an address/ },
    { args: [...given, '--days', '0'], says: /number of days/ },
    { args: [...given, '--days', '1e9'], says: /number of days/ },
    { args: [...given, '--days', 'x'], says: /number of days/ },
  ]
  for (const { args, says } of cases) {
    const ran = await run(...args)
    t.equal(ran.exitCode, 2, args.join(' '))
    t.match(ran.err, says, args.join(' '))
  }
  t.strictSame(readdirSync(folder), [])
})
