import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Azurite behind the real `ringfence run`, and the unmodified `@azure/storage-blob` client in front of it, then the same
 * client as a workload whose only way out is `HTTPS_PROXY`. Ends with `N passed, N failed`.
 *
 *   npm ci --prefix test/azurite && node test/azurite/run.ts
 */

const here = import.meta.dirname
const program = path.resolve(here, '../../src/main.ts')
const azurite = path.join(here, 'node_modules/azurite/dist/src/blob/main.js')
const startMs = 30_000
const exerciseMs = 120_000
const logMs = 2000

const folder = mkdtempSync(path.join(tmpdir(), 'ringfence-azurite-'))
const children: ChildProcess[] = []
let passed = 0
let failed = 0

process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

interface Ports {
  readonly plain: number
  readonly secure: number
  readonly open: number
  readonly closed: number
  readonly egress: number
  readonly health: number
}

const ports = await choosePorts()
const certificate = makeCertificate()
writeDocuments(ports)
await Promise.all([
  startAzurite(ports.plain, []),
  startAzurite(ports.secure, ['--cert', certificate.file, '--key', certificate.key]),
])
await startRingfence()

await exercise('inbound: the client', ['use', inbound(ports.open)])
const shown = await exercise('inbound: a client outside the rules', [
  'denied',
  inbound(ports.closed),
])
const requestId = shown.find((line) => line.startsWith('request-id '))?.slice('request-id '.length)
check(
  requestId !== undefined &&
    (await isLogged('NspPublicInboundPerimeterRulesDenied', `"correlationId":"${requestId}"`)),
  'the request id that it sees is the correlation id in the access log',
)
const egress = { HTTPS_PROXY: `http://127.0.0.1:${ports.egress}`, NO_PROXY: '' }
await exercise('egress: the client behind HTTPS_PROXY', ['use', outbound('azurite')], egress)
await exercise(
  'egress: the client calling what no rule names',
  ['blocked', outbound('elsewhere')],
  egress,
)
check(await isLogged('NspPublicOutboundPerimeterRulesAllowed'), 'the tunnel is in the access log')
check(await isLogged('NspPublicOutboundPerimeterRulesDenied'), 'so is the refusal')
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exit(failed === 0 ? 0 : 1)

function inbound(port: number): string {
  return `http://127.0.0.1:${port}/devstoreaccount1`
}

function outbound(name: string): string {
  return `https://${name}.storage.example:${ports.secure}/devstoreaccount1`
}

function check(good: boolean, sentence: string): void {
  if (good) passed += 1
  else failed += 1
  process.stdout.write(`  ${good ? '✓' : '✗'} ${sentence}\n`)
}

/** Runs the client in a process of its own and counts its checks; returns its lines. */
async function exercise(
  title: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  process.stdout.write(`${title}\n`)
  const child = spawn(process.execPath, [path.join(here, 'exercise.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate.file, ...environment },
    timeout: exerciseMs,
  })
  children.push(child)
  const output: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    output.push(line)
    const found = /^(not )?ok - (.*)$/.exec(line)
    if (found !== null) check(found[1] === undefined, found[2] ?? '')
  }
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode]
  if (code !== 0) check(false, `the client ended with ${String(code)}`)
  return output
}

async function startAzurite(port: number, args: readonly string[]): Promise<void> {
  const child = spawn(
    process.execPath,
    [
      azurite,
      '--blobHost',
      '127.0.0.1',
      '--blobPort',
      String(port),
      '--inMemoryPersistence',
      '--disableProductStyleUrl',
      '--disableTelemetry',
      '--skipApiVersionCheck',
      '--silent',
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], cwd: folder },
  )
  children.push(child)
  await waitForLine(child, /successfully listens on/)
}

async function startRingfence(): Promise<void> {
  const child = spawn(
    process.execPath,
    [program, 'run', '--config', path.join(folder, 'ringfence.yaml')],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  children.push(child)
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString()
  })
  const deadline = Date.now() + startMs
  for (;;) {
    if (child.exitCode !== null) throw new Error(`ringfence ended:\n${log}`)
    if (await isReady()) return
    if (Date.now() > deadline) throw new Error(`ringfence did not become ready:\n${log}`)
    await delay(50)
  }
}

async function isReady(): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${ports.health}/readyz`)).ok
  } catch {
    return false
  }
}

async function waitForLine(child: ChildProcess, wanted: RegExp): Promise<void> {
  const output = child.stdout
  if (output === null) throw new Error('no output to wait for')
  const late = setTimeout(() => child.kill('SIGKILL'), startMs)
  for await (const line of createInterface({ input: output })) {
    if (!wanted.test(line)) continue
    clearTimeout(late)
    output.resume()
    return
  }
  throw new Error('Azurite did not start')
}

async function choosePorts(): Promise<Ports> {
  const servers = Array.from({ length: 6 }, () => createServer().listen(0, '127.0.0.1'))
  const numbers: number[] = []
  for (const server of servers) {
    if (!server.listening) await once(server, 'listening')
    const address = server.address()
    numbers.push(typeof address === 'object' && address !== null ? address.port : 0)
  }
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  const [plain = 0, secure = 0, open = 0, closed = 0, egressPort = 0, health = 0] = numbers
  return { plain, secure, open, closed, egress: egressPort, health }
}

function makeCertificate(): { file: string; key: string } {
  const file = path.join(folder, 'certificate.pem')
  const key = path.join(folder, 'key.pem')
  const names = 'DNS:azurite.storage.example,DNS:elsewhere.storage.example'
  const options = 'req -x509 -nodes -days 2 -newkey rsa:2048 -subj /CN=azurite'
  execFileSync(
    'openssl',
    [...options.split(' '), '-addext', `subjectAltName=${names}`, '-keyout', key, '-out', file],
    { stdio: 'pipe' },
  )
  return { file, key }
}

function writeDocuments(chosen: Ports): void {
  const subscription = '11111111-1111-1111-1111-111111111111'
  writeFileSync(
    path.join(folder, 'ringfence.yaml'),
    `\
scope: { subscriptionId: ${subscription}, resourceGroup: shop }
policy: { files: ["perimeters/*.yaml"] }
resources:
  - { id: orders, hosts: [orders.storage.example], backend: "http://127.0.0.1:${chosen.plain}" }
  - { id: secrets, hosts: [secrets.storage.example], backend: "http://127.0.0.1:${chosen.plain}" }
inbound:
  - { name: open, listen: { host: 127.0.0.1, port: ${chosen.open} }, resource: orders }
  - { name: closed, listen: { host: 127.0.0.1, port: ${chosen.closed} }, resource: secrets }
outbound:
  - { name: egress, listen: { host: 127.0.0.1, port: ${chosen.egress} }, resource: orders }
egress:
  ports: [443, ${chosen.secure}]
  hosts:
    azurite.storage.example: [127.0.0.1]
    elsewhere.storage.example: [127.0.0.1]
  privateAddresses:
    azurite.storage.example: [127.0.0.1/32]
    elsewhere.storage.example: [127.0.0.1/32]
audit: { file: access.jsonl }
health: { listen: { host: 127.0.0.1, port: ${chosen.health} } }
`,
  )
  mkdirSync(path.join(folder, 'perimeters'))
  writeFileSync(
    path.join(folder, 'perimeters', 'shop.yaml'),
    `\
name: shop
subscriptionId: ${subscription}
resourceGroup: shop
location: local
profiles:
  - name: web
    accessRules:
      - { name: here, direction: Inbound, addressPrefixes: [127.0.0.1/32] }
      - { name: storage, direction: Outbound, fullyQualifiedDomainNames: [azurite.storage.example] }
  - { name: nobody, accessRules: [] }
resourceAssociations:
  - { name: orders, privateLinkResource: { id: orders }, profile: { id: web }, accessMode: Enforced }
  - { name: secrets, privateLinkResource: { id: secrets }, profile: { id: nobody }, accessMode: Enforced }
`,
  )
}

/** Whether the access log has a line with all of these; records may wait a moment before they are written. */
async function isLogged(...parts: readonly string[]): Promise<boolean> {
  const deadline = Date.now() + logMs
  for (;;) {
    const lines = readFileSync(path.join(folder, 'access.jsonl'), 'utf8').split('\n')
    if (lines.some((line) => parts.every((part) => line.includes(part)))) return true
    if (Date.now() > deadline) return false
    await delay(20)
  }
}
