import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createNetServer } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { root } from './deployment-files.ts'

/** What people get from the package: built, without sources, tests and development dependencies. */

/** Without the hooks that the test runner puts into every Node.js below it. */
function run(command: readonly string[], cwd: string): Promise<{ stdout: string }> {
  return promisify(execFile)('env', ['-u', 'NODE_OPTIONS', ...command], { cwd })
}

const packed = ['package.json', 'package-lock.json', '.npmrc', 'tsconfig.json', 'src', 'config']
const documents = ['README.md', 'LICENSE', 'scripts/tsconfig.build.json']

void t.test('the package is built when packed, installs, and its program enforces', async (t) => {
  const place = t.testdir({ source: {}, installed: { 'package.json': '{"private":true}' } })
  const source = path.join(place, 'source')
  for (const name of [...packed, ...documents]) {
    cpSync(path.join(root, name), path.join(source, name), { recursive: true })
  }
  symlinkSync(path.join(root, 'node_modules'), path.join(source, 'node_modules'))
  await run(['npm', 'pack', '--pack-destination', place], source)
  const [archive = ''] = readdirSync(place).filter((name) => name.endsWith('.tgz'))

  const installed = path.join(place, 'installed')
  const install = ['npm', 'install', '--omit=optional', '--ignore-scripts', '--prefer-offline']
  await run([...install, path.join(place, archive)], installed)
  const program = path.join(installed, 'node_modules/.bin/ringfence')
  const { stdout: version } = await run([program, '--version'], place)
  t.match(version, /^\d+\.\d+\.\d+\n$/)
  const shipped = readdirSync(path.join(installed, 'node_modules/ringfence'))
  t.strictSame(shipped.toSorted(), ['LICENSE', 'README.md', 'config', 'dist', 'package.json'])

  const origin = createServer((_, response) => response.end('from the origin'))
  origin.listen(0, '127.0.0.1')
  await once(origin, 'listening')
  t.teardown(() => origin.close())
  const inbound = await freePort()
  const settings = writeSettings(place, { backend: portOf(origin.address()), inbound })
  const child = spawn('env', ['-u', 'NODE_OPTIONS', program, 'run', '--config', settings], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const says = async (text: string): Promise<void> => {
    while (!log.includes(text)) await once(child.stderr, 'data')
  }
  await says(String(inbound))
  const allowed = await fetch(`http://127.0.0.1:${inbound}/`)
  t.equal(await allowed.text(), 'from the origin', log)

  // So large that another thread loads it, whose file has another name here than in the repository.
  const addressPrefixes = Array.from(
    { length: 5000 },
    (_, index) => `10.${index >> 8}.${index & 255}.0/24`,
  )
  writePerimeter(place, [{ name: 'others', direction: 'Inbound', addressPrefixes }])
  await says('reloaded')
  t.equal((await fetch(`http://127.0.0.1:${inbound}/`)).status, 403, log)
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  t.equal(code, 0)
})

function writeSettings(folder: string, ports: { backend: number; inbound: number }): string {
  const file = path.join(folder, 'ringfence.yaml')
  const subscription = '11111111-1111-1111-1111-111111111111'
  writeFileSync(
    file,
    `\
scope: { subscriptionId: ${subscription}, resourceGroup: shop }
policy: { files: ["perimeters/*.yaml"] }
resources: [{ id: orders, hosts: [orders.example], backend: "http://127.0.0.1:${ports.backend}" }]
inbound:
  - { name: public, listen: { host: 127.0.0.1, port: ${ports.inbound} }, resource: orders }
audit: { file: access.jsonl }
workers: 2
`,
  )
  mkdirSync(path.join(folder, 'perimeters'))
  writePerimeter(folder, [
    { name: 'here', direction: 'Inbound', addressPrefixes: ['127.0.0.1/32'] },
  ])
  return file
}

function writePerimeter(folder: string, accessRules: readonly object[]): void {
  const orders = { name: 'orders', privateLinkResource: { id: 'orders' }, profile: { id: 'web' } }
  writeFileSync(
    path.join(folder, 'perimeters/shop.yaml'),
    JSON.stringify({
      name: 'shop',
      location: 'local',
      profiles: [{ name: 'web', accessRules }],
      resourceAssociations: [{ ...orders, accessMode: 'Enforced' }],
    }),
  )
}

async function freePort(): Promise<number> {
  const server = createNetServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = portOf(server.address())
  server.close()
  await once(server, 'close')
  return port
}

function portOf(address: ReturnType<ReturnType<typeof createNetServer>['address']>): number {
  return typeof address === 'object' && address !== null ? address.port : 0
}
