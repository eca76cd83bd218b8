import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import type { Issued } from '../../src/certificates/authority.ts'
import { parseHostname } from '../../src/wire/hostname.ts'
import { writeMemberHeader } from '../../src/wire/member-header.ts'
import type { MemberClientRequest } from '../support/member-client.ts'
import { issueMember, memberAuthority, memberName, writePair } from '../support/members.ts'
import { createNamespaces, hasNamespaces, type Namespaces } from '../support/namespaces.ts'
import { rawClientOver } from '../support/raw-client.ts'
import {
  askAdmin,
  type ChildInstance,
  eventually,
  perimeterDocument,
  scope,
  spawnNode,
  startWithin,
  withDefaults,
  writeConfiguration,
} from '../support/ringfence.ts'
import { guidFor, testSubscription } from '../support/settings-parts.ts'

/**
 * Three instances on three machines: `fronts` has orders and ledger of the perimeter shop; `intra` speaks for stock of the
 * same; `cross` for invoices of billing, which shop is linked to. There is no rule anywhere, so that nothing but the proof of
 * a member lets anybody in.
 */

const run = promisify(execFile)
const script = (name: string): string => join(import.meta.dirname, '..', 'support', name)
const ports = { plain: 8080, secure: 8443, ledger: 5432, members: 9443, origin: 7000, echo: 7001 }

const members = await memberAuthority()
const servers = await memberAuthority('servers')
const stock = await issueMember(members, 'stock')
const invoices = await issueMember(members, 'invoices', 'billing')

const associated = (name: string) => ({
  name,
  privateLinkResource: { id: name },
  profile: { id: 'web' },
  accessMode: 'Enforced',
})
const idOf = (perimeter: string): string =>
  `/subscriptions/${scope.subscriptionId}/resourceGroups/${scope.resourceGroup}/providers/Microsoft.Network/networkSecurityPerimeters/${perimeter}`
const profiles = [{ name: 'web', accessRules: [] }]
const shop = perimeterDocument('shop', {
  perimeterGuid: guidFor('shop'),
  profiles,
  resourceAssociations: ['orders', 'ledger', 'stock'].map(associated),
  links: [
    {
      name: 'to-billing',
      autoApprovedRemotePerimeterResourceId: idOf('billing'),
      localInboundProfiles: ['*'],
      remoteInboundProfiles: ['*'],
    },
  ],
})
const billing = perimeterDocument('billing', {
  perimeterGuid: guidFor('billing'),
  profiles,
  resourceAssociations: [associated('invoices')],
})
const links = { autoApprove: [idOf('shop')] }
const resources = {
  orders: { id: 'orders', hosts: ['orders.test'] },
  ledger: { id: 'ledger', hosts: ['ledger.test'] },
}

async function startFronting(t: Test, machines: Namespaces): Promise<ChildInstance> {
  const within = machines.within('fronts')
  const origin = [script('echo-origin.ts'), String(ports.origin), String(ports.echo)]
  await spawnNode(t, origin, within).says(/^ready/m)
  const files = await writeConfiguration(t, { settings: {}, perimeters: { shop, billing } })
  const shown = await servers.issue({
    commonName: 'orders',
    alternativeNames: [{ type: 'dns', value: 'orders.test' }],
  })
  const tls = await writePair(files, 'orders', shown)
  const pair = await writePair(files, 'fronts', await issueMember(members, 'orders'))
  await files.write('members.pem', members.certificate)
  await files.write('members.crl', await members.revoke([]))
  const at = (port: number) => ({ host: '0.0.0.0', port })
  await files.write(
    'ringfence.yaml',
    withDefaults({
      links,
      resources: [
        { ...resources.orders, backend: `http://127.0.0.1:${ports.origin}` },
        { ...resources.ledger, backend: `tcp://127.0.0.1:${ports.echo}` },
        { id: 'stock' },
        { id: 'invoices' },
      ],
      inbound: [
        { name: 'plain', listen: at(ports.plain) },
        { name: 'secure', listen: at(ports.secure), tls },
        { name: 'ledger', listen: at(ports.ledger), resource: 'ledger' },
        {
          name: 'members',
          listen: at(ports.members),
          accepts: 'members',
          tls: {
            ...pair,
            clientCertificates: {
              authorities: [
                {
                  caFile: join(files.folder, 'members.pem'),
                  crlFile: join(files.folder, 'members.crl'),
                  perimeters: [guidFor('shop'), guidFor('billing')],
                  subscriptions: [testSubscription],
                },
              ],
            },
          },
        },
      ],
    }),
  )
  return startWithin(t, files, within)
}

/** One that speaks for a member, by TCP for its own machine and by a Unix socket for this test. */
async function startSpeaking(
  t: Test,
  machines: Namespaces,
  speaks: { readonly name: string; readonly resource: string; readonly shown: Issued },
): Promise<ChildInstance> {
  const { name, resource, shown } = speaks
  const files = await writeConfiguration(t, { settings: {}, perimeters: { shop, billing } })
  const memberCertificate = await writePair(files, 'own', shown)
  await files.write('members.pem', members.certificate)
  const peer = {
    endpoint: `${machines.addressOf('fronts')}:${ports.members}`,
    endpointTls: {
      caFile: join(files.folder, 'members.pem'),
      name: `URI:${memberName('orders').value}`,
    },
  }
  const others = ['stock', 'invoices'].filter((other) => other !== resource)
  await files.write(
    'ringfence.yaml',
    withDefaults({
      links,
      resources: [
        { ...resources.orders, ...peer },
        { ...resources.ledger, ...peer },
        { id: resource, memberCertificate },
        ...others.map((id) => ({ id })),
      ],
      outbound: [
        { name: 'egress', listen: { host: '127.0.0.1', port: 3128 }, resource },
        { name: 'near', listen: { socket: 'egress.sock' }, resource },
      ],
    }),
  )
  return startWithin(t, files, machines.within(name))
}

async function openTunnel(t: Test, instance: ChildInstance, target: string) {
  const socket = connect({ path: join(instance.folder, 'egress.sock') })
  await once(socket, 'connect')
  const client = rawClientOver(socket)
  t.teardown(() => client.destroy())
  client.send(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`)
  const { status } = await client.response({ bodyless: true })
  return { client, status }
}

/** Decisions of an instance, without the lines of what has ended. */
async function decisions(instance: ChildInstance) {
  const records = await instance.records()
  return records.filter(({ properties }) => properties.closeReason === undefined)
}

/** The newest, once there are more than there were. */
async function newest(instance: ChildInstance, before: number) {
  const records = await eventually(
    () => decisions(instance),
    (all) => all.length > before,
  )
  return records.at(-1)
}

void t.test('members of three machines', async (t) => {
  if (!hasNamespaces(t)) return
  const machines = createNamespaces(t, ['fronts', 'intra', 'cross'])
  const fronts = await startFronting(t, machines)
  const intra = await startSpeaking(t, machines, { name: 'intra', resource: 'stock', shown: stock })
  const cross = await startSpeaking(t, machines, {
    name: 'cross',
    resource: 'invoices',
    shown: invoices,
  })
  await fronts.write('servers.pem', servers.certificate)
  const curl = async (name: string, ...parameters: readonly string[]): Promise<string> => {
    const [command, ...words] = [...machines.within(name), 'curl', '-s', '-m', '10']
    const how = ['-x', 'http://127.0.0.1:3128', '--cacert', join(fronts.folder, 'servers.pem')]
    const { stdout } = await run(command ?? '', [...words, ...how, ...parameters])
    return stdout
  }
  const kinds = [
    {
      name: 'intra',
      instance: intra,
      resource: 'stock',
      category: 'NspIntraPerimeterInboundAllowed',
    },
    {
      name: 'cross',
      instance: cross,
      resource: 'invoices',
      category: 'NspCrossPerimeterInboundAllowed',
    },
  ] as const
  for (const { name, instance, resource, category } of kinds) {
    const want = {
      category,
      properties: { source: { resourceId: new RegExp(`/${resource}$`) } },
    }
    await t.test(`plain HTTP arrives as ${category}`, async (t) => {
      const before = (await decisions(fronts)).length
      t.equal(await curl(name, `http://orders.test:${ports.plain}/`), 'ok')
      const source = { ipAddress: '127.0.0.1', resourceId: new RegExp(`/${resource}$`) }
      t.match(await newest(fronts, before), { category, properties: { source } })
    })
    await t.test(`HTTPS that passes through arrives as ${category}`, async (t) => {
      const before = (await decisions(fronts)).length
      t.equal(await curl(name, `https://orders.test:${ports.secure}/`), 'ok')
      t.match(await newest(fronts, before), want)
    })
    await t.test(`a WebSocket arrives as ${category}`, async (t) => {
      const before = (await decisions(fronts)).length
      const host = `orders.test:${ports.plain}`
      const { client, status } = await openTunnel(t, instance, host)
      t.equal(status, 200)
      client.send(
        `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
      )
      t.equal((await client.response({ bodyless: true })).status, 101)
      client.send('hello')
      t.equal(await client.until('hello'), 'hello')
      t.match(await newest(fronts, before), want)
    })
    await t.test(`a member that speaks TCP is reached as ${category}`, async (t) => {
      const before = (await decisions(fronts)).length
      const { client, status } = await openTunnel(t, instance, `ledger.test:${ports.ledger}`)
      t.equal(status, 200)
      client.send('hello')
      t.equal(await client.until('hello'), 'hello')
      t.match(await newest(fronts, before), { ...want, operationName: 'TCP' })
    })
  }

  await t.test('nobody else gets in', async (t) => {
    const strangers = await memberAuthority('strangers')
    const elsewhere = await members.issue({
      commonName: 'x',
      alternativeNames: [
        memberName(
          '/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/a/providers/A.B/c/stock',
        ),
      ],
    })
    const cases: readonly {
      readonly note: string
      readonly shown?: Issued
      readonly says: string
    }[] = [
      { note: 'no certificate', says: 'no client certificate' },
      {
        note: 'one of another authority',
        shown: await issueMember(strangers, 'stock'),
        says: 'does not verify',
      },
      { note: 'outside the scope of its authority', shown: elsewhere, says: 'may not speak for' },
      { note: 'a sender that it is not', shown: invoices, says: 'sender that is not in' },
    ]
    const name = parseHostname('ledger.test')
    if (name === undefined) throw new Error('a good name')
    const header = writeMemberHeader({
      address: undefined,
      port: undefined,
      sender: `URI:${memberName('stock').value}`,
      name,
      targetPort: ports.ledger,
      correlationId: 'c0ffee',
    })
    const bytes = Buffer.concat([header, Buffer.from('hello')]).toString('hex')
    const send = async (shown: Issued | undefined): Promise<string> => {
      const pair = shown === undefined ? {} : { cert: shown.certificate, key: shown.key }
      const where = { host: machines.addressOf('fronts'), port: ports.members }
      const asked: MemberClientRequest = { ...where, ca: members.certificate, ...pair, bytes }
      const [command, ...words] = [...machines.within('cross'), process.execPath]
      const client = [script('member-client.ts'), JSON.stringify(asked)]
      return JSON.parse((await run(command ?? '', [...words, ...client])).stdout)
    }
    for (const { note, shown, says } of cases) {
      const before = (await decisions(fronts)).length
      t.equal(await send(shown), '', note)
      const refused = await newest(fronts, before)
      t.match(refused, { properties: { reason: 'unknown-caller' } }, note)
      t.match(JSON.stringify(refused), says, note)
    }
    t.equal(await send(stock), 'hello', 'the same bytes from whom they are of')
  })

  await t.test('a certificate that is revoked ends what is open and opens nothing', async (t) => {
    const ledger = `ledger.test:${ports.ledger}`
    const [ended, kept] = [await openTunnel(t, intra, ledger), await openTunnel(t, cross, ledger)]
    for (const { client } of [ended, kept]) {
      client.send('hello')
      await client.until('hello')
    }
    await fronts.write('members.crl', await members.revoke([stock.serialNumber]))
    const began = performance.now()
    t.equal((await askAdmin(fronts, { method: 'POST', path: '/reload' })).status, 200)
    await ended.client.rest()
    t.ok(performance.now() - began < 2000)
    kept.client.send('again')
    t.equal(await kept.client.until('again'), 'again', 'another certificate stays')
    const before = (await decisions(fronts)).length
    t.match(
      await curl('intra', `http://orders.test:${ports.plain}/`),
      /backend-reset|unknown-caller/,
    )
    t.match(JSON.stringify(await newest(fronts, before)), 'client certificate that is revoked')
  })
})
