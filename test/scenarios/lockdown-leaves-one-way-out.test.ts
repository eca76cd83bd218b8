import { chmod, chown, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { minutes } from '../../src/units.ts'
import { createAuthority } from '../support/certificates.ts'
import { canMakeNamespaces, joinNamespaces, type Namespace } from '../support/network-namespaces.ts'
import { perimeterDocument, writeConfiguration } from '../support/ringfence.ts'

/** `ringfence lockdown`: whoever ignores HTTP_PROXY is held too, and reaches what a rule allows without knowing how. */

t.setTimeout(minutes(2))

const proxyUid = 10_777
const workloadUid = 10_778

const program = join(import.meta.dirname, '../../src/main.ts')
const outsideWorld = join(import.meta.dirname, '../support/outside-world.ts')
const askByUdp = join(import.meta.dirname, '../support/ask-by-udp.ts')

interface World {
  readonly inside: Namespace
  readonly outside: Namespace
  readonly caFile: string
  readonly configFile: string
  /** Whom the outside has seen, since it was asked last. */
  seen(): readonly string[]
  records(): Promise<string>
}

async function openWorld(t: Test): Promise<World> {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const { keyFile, certificateFile } = authority.issue('allowed.example', 'denied.example')
  const { inside, outside } = joinNamespaces(t)
  const led = (name: string, host: string, originalPort: number): object => ({
    name,
    listen: { host, port: 15_000 + originalPort },
    resource: 'orders',
    transparent: { originalPort },
  })
  const configuration = await writeConfiguration(t, {
    settings: {
      resources: [{ id: 'orders' }],
      outbound: [
        led('led-443', '127.0.0.1', 443),
        led('led-443-v6', '::1', 443),
        led('led-80', '127.0.0.1', 80),
      ],
      egress: {
        hosts: { 'allowed.example': [outside.ipv4] },
        privateAddresses: { 'allowed.example': ['10.91.0.0/24'] },
      },
    },
    perimeters: {
      shop: perimeterDocument('shop', {
        profiles: [
          {
            name: 'web',
            accessRules: [
              {
                name: 'allowed',
                direction: 'Outbound',
                fullyQualifiedDomainNames: ['allowed.example'],
              },
            ],
          },
        ],
        resourceAssociations: [
          {
            name: 'orders',
            privateLinkResource: { id: 'orders' },
            profile: { id: 'web' },
            accessMode: 'Enforced',
          },
        ],
      }),
    },
  })
  await chown(configuration.folder, proxyUid, proxyUid)
  await chmod(configuration.folder, 0o755)
  const world = await outside.start([process.execPath, outsideWorld, keyFile, certificateFile])
  const run = [process.execPath, program, 'run', '--config', configuration.configFile]
  await inside.start(run, { uid: proxyUid })
  let told = world.lines.length
  return {
    inside,
    outside,
    caFile: authority.caFile,
    configFile: configuration.configFile,
    seen() {
      const since = world.lines.slice(told)
      told = world.lines.length
      return since
    },
    records: async () => readFile(configuration.auditFile, 'utf8'),
  }
}

/** curl as a workload that knows of no proxy; to whichever address it likes. */
async function visit(
  { inside, caFile }: World,
  url: string,
  address: string,
): Promise<{ readonly exitCode: number | null; readonly out: string }> {
  const { hostname, protocol } = new URL(url)
  const port = protocol === 'https:' ? 443 : 80
  const target = address.includes(':') ? `[${address}]` : address
  const resolve = `${hostname}:${port}:${target}`
  const curl = ['curl', '-sS', '-m', '5', '--noproxy', '*', '--cacert', caFile]
  return inside.run([...curl, '--resolve', resolve, '-w', ' %{http_code}', url], {
    uid: workloadUid,
  })
}

/** Ways around: each says whether somebody answered. Root, which could do everything, is held as well. */
const waysAround: readonly {
  readonly note: string
  readonly go: (world: World) => Promise<boolean>
}[] = [
  ...(['ipv4', 'ipv6'] as const).flatMap((family) => [
    {
      note: `TCP over ${family}`,
      go: async ({ inside, outside }: World) => {
        const host = family === 'ipv6' ? `[${outside.ipv6}]` : outside.ipv4
        const curl = ['curl', '-sS', '-m', '2', '--noproxy', '*', `telnet://${host}:22`]
        return (await inside.run(curl)).out.includes('outside')
      },
    },
    {
      note: `UDP 443 over ${family}`,
      go: async ({ inside, outside }: World) => {
        const { exitCode } = await inside.run([process.execPath, askByUdp, outside[family], '443'])
        return exitCode === 0
      },
    },
    {
      note: `ICMP over ${family}`,
      go: async ({ inside, outside }: World) => {
        const { exitCode } = await inside.run(['ping', '-c', '1', '-W', '1', outside[family]])
        return exitCode === 0
      },
    },
  ]),
  {
    note: 'DNS of a server that was not named',
    go: async ({ inside, outside }) => {
      const { exitCode } = await inside.run([process.execPath, askByUdp, outside.ipv6, '53'])
      return exitCode === 0
    },
  },
]

void t.test('lockdown leaves a workload that ignores HTTP_PROXY one way out', async (t) => {
  if (!canMakeNamespaces(t)) return
  const world = await openWorld(t)
  const { inside, outside } = world

  for (const { note, go } of waysAround) t.ok(await go(world), `${note} is open before`)

  const printed = await inside.run([
    process.execPath,
    program,
    'lockdown',
    '--print',
    '--config',
    world.configFile,
    '--uid',
    String(proxyUid),
    '--workload',
    String(workloadUid),
    '--resolver',
    outside.ipv4,
  ])
  t.equal(printed.exitCode, 0, printed.out)
  const nft = await inside.run(['nft', '-f', '-'], { input: printed.out })
  t.equal(nft.exitCode, 0, nft.out)
  world.seen()

  for (const { note, go } of waysAround) t.notOk(await go(world), `${note} is closed`)
  t.same(world.seen(), [], 'nothing has arrived outside')

  const { exitCode } = await inside.run([process.execPath, askByUdp, outside.ipv4, '53'])
  t.equal(exitCode, 0, 'the name server that was named may be asked')
  t.same(world.seen(), ['udp 53'])

  // Wherever the program believes the name to be: the name is dialled.
  for (const address of [outside.ipv4, '192.0.2.9', outside.ipv6]) {
    const allowed = await visit(world, 'https://allowed.example/', address)
    t.equal(allowed.out, 'outside 200', `HTTPS to ${address}`)
    t.same(world.seen(), ['https allowed.example'])
  }
  t.equal((await visit(world, 'http://allowed.example/', '192.0.2.9')).out, 'outside 200', 'HTTP')
  t.same(world.seen(), ['http allowed.example'])

  const denied = await visit(world, 'https://denied.example/', outside.ipv4)
  t.equal(denied.exitCode, 35, 'the TLS handshake fails')
  t.match(denied.out, /alert|access denied/i)
  t.match((await visit(world, 'http://denied.example/', outside.ipv4)).out, / 403$/)
  t.same(world.seen(), [])
  const records = await world.records()
  t.match(records, /"operationName":"ClientHello".*"fullyQualifiedDomainName":"denied\.example"/)
  t.match(records, '"reason":"no-matching-rule"')
})

void t.test('lockdown lets a service answer whoever comes', async (t) => {
  if (!canMakeNamespaces(t)) return
  const world = await openWorld(t)
  const { inside, outside } = world
  const served =
    "require('node:http').createServer((_, r) => r.end('inside')).listen(8080, '::', () => console.log('ready'))"
  await inside.start([process.execPath, '-e', served])
  const printed = await inside.run([
    process.execPath,
    program,
    'lockdown',
    '--print',
    '--config',
    world.configFile,
    '--uid',
    String(proxyUid),
    '--workload',
    '0',
  ])
  await inside.run(['nft', '-f', '-'], { input: printed.out })
  for (const host of [inside.ipv4, `[${inside.ipv6}]`]) {
    const asked = await outside.run(['curl', '-sS', '-m', '5', `http://${host}:8080/`])
    t.equal(asked.out, 'inside')
  }
})
