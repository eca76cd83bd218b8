import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { at, checkSettings, listAt, readYaml, root } from './deployment-files.ts'

const [compose] = readYaml('config/compose.yaml')
const ringfence = at(compose, 'services', 'ringfence')
const workload = at(compose, 'services', 'orders')
const [mount = '', target = ''] = String(at(ringfence, 'volumes', 0)).split(':')
const mounted = path.join(root, 'config', mount)
const settings: unknown = parse(readFileSync(path.join(mounted, 'ringfence.yaml'), 'utf8'))

void t.test('compose: what it mounts passes check', async (t) => {
  t.equal(target, '/etc/ringfence', 'where the image looks')
  const { code, output } = await checkSettings(path.join(mounted, 'ringfence.yaml'))
  t.equal(code, 0, output)
  t.match(output, / 0 warnings/)
})

void t.test('compose: it builds the image from this repository', async (t) => {
  const context = path.join(root, 'config', String(at(ringfence, 'build', 'context')))
  t.ok(existsSync(path.join(context, 'Dockerfile')))
})

void t.test('compose: the workload has no network but the internal one', async (t) => {
  t.strictSame(Object.keys(Object(at(workload, 'networks'))), ['inside'])
  t.equal(at(compose, 'networks', 'inside', 'internal'), true)
  t.equal(at(workload, 'ports'), undefined, 'and publishes nothing')
})

void t.test('compose: addresses and ports agree with the settings', async (t) => {
  const inside = at(ringfence, 'networks', 'inside', 'ipv4_address')
  const address = String(at(workload, 'networks', 'inside', 'ipv4_address'))
  const egress = at(settings, 'outbound', 0)
  t.equal(at(egress, 'listen', 'host'), inside, 'egress listens inside only')
  t.strictSame(listAt(egress, 'clients'), [`${address}/32`], 'and speaks for that workload only')
  const backend = new URL(String(at(settings, 'resources', 0, 'backend')))
  t.equal(backend.hostname, address)
  t.match(listAt(workload, 'command').join(' '), `listen(${backend.port})`)
  const proxy = `http://ringfence:${String(at(egress, 'listen', 'port'))}`
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy']) {
    t.equal(at(workload, 'environment', name), proxy, name)
  }
  const inbound = String(at(settings, 'inbound', 0, 'listen', 'port'))
  t.strictSame(listAt(ringfence, 'ports'), [`${inbound}:${inbound}`])
})

void t.test('compose: the health check of the image finds its port', async (t) => {
  t.strictSame(at(settings, 'health', 'listen'), { host: '127.0.0.1', port: 9900 })
  t.equal(at(workload, 'depends_on', 'ringfence', 'condition'), 'service_healthy')
})

void t.test('compose: nobody is root, nothing is writable, uids differ', async (t) => {
  for (const service of [ringfence, workload]) {
    t.equal(at(service, 'read_only'), true)
    t.strictSame(at(service, 'cap_drop'), ['ALL'])
  }
  const user = String(at(ringfence, 'user'))
  t.match(readFileSync(path.join(root, 'Dockerfile'), 'utf8'), `USER ${user}\n`)
  t.not(at(workload, 'user'), user)
  const [uid = ''] = user.split(':')
  const directory = path.dirname(String(at(settings, 'admin', 'socket')))
  t.match(String(at(ringfence, 'tmpfs', 0)), `${directory}:uid=${uid}`)
})
