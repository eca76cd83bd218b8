import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { connectShowing, issueMember, memberAuthority, writePair } from '../support/members.ts'
import {
  eventually,
  perimeterDocument,
  startInProcess,
  withDefaults,
  writeConfiguration,
} from '../support/ringfence.ts'
import { guidFor, testSubscription } from '../support/settings-parts.ts'

/** In front of a `tcp:` back end a certificate is all that a client can say of itself (smokescreen#293, pomerium#4614). */

const authority = await memberAuthority()
const server = await authority.issue({
  commonName: 'ledger',
  alternativeNames: [{ type: 'dns', value: 'orders.test' }],
})

void t.test('a tcp back end is reached by members that prove who they are', async (t) => {
  const backend = createServer((socket) => socket.on('error', () => {}).pipe(socket))
  backend.listen(0, '127.0.0.1')
  await once(backend, 'listening')
  t.teardown(() => backend.close())
  const address = backend.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const member = (name: string) => ({
    name,
    privateLinkResource: { id: name },
    profile: { id: 'books' },
    accessMode: 'Enforced',
  })
  const files = await writeConfiguration(t, {
    settings: {},
    perimeters: {
      bank: perimeterDocument('bank', {
        perimeterGuid: guidFor('bank'),
        profiles: [{ name: 'books', accessRules: [] }],
        resourceAssociations: [member('ledger'), member('teller')],
      }),
    },
  })
  const pair = await writePair(files, 'server', server)
  await files.write('ca.pem', authority.certificate)
  await files.write('ca.crl', await authority.revoke([]))
  await files.write(
    'ringfence.yaml',
    withDefaults({
      resources: [
        { id: 'ledger', hosts: ['orders.test'], backend: `tcp://127.0.0.1:${address.port}` },
        { id: 'teller' },
      ],
      inbound: [
        {
          name: 'ledger',
          listen: { host: '127.0.0.1', port: 0 },
          resource: 'ledger',
          tls: {
            ...pair,
            clientCertificates: {
              authorities: [
                {
                  caFile: join(files.folder, 'ca.pem'),
                  crlFile: join(files.folder, 'ca.crl'),
                  perimeters: [guidFor('bank')],
                  subscriptions: [testSubscription],
                },
              ],
            },
          },
        },
      ],
    }),
  )
  const instance = await startInProcess(t, files)
  const teller = await issueMember(authority, 'teller', 'bank')
  const open = async (shown?: typeof teller) => {
    const how = { port: instance.port('ledger'), ca: authority.certificate, shown }
    const socket = await connectShowing(how)
    t.teardown(() => socket.destroy())
    socket.write('hello')
    return socket
  }

  const socket = await open(teller)
  t.equal(String(await once(socket, 'data')), 'hello')
  for (const [note, shown] of [
    ['nobody', undefined],
    ['a stranger', await issueMember(await memberAuthority(), 'teller', 'bank')],
    ['one outside the scope', await issueMember(authority, 'teller', 'shop')],
  ] as const) {
    const refused = await open(shown)
    let bytes = 0
    refused.on('data', (chunk: Buffer) => (bytes += chunk.length))
    await once(refused, 'end')
    t.equal(bytes, 0, note)
  }
  await instance.write('ca.crl', await authority.revoke([teller.serialNumber]))
  const closed = once(socket, 'close')
  t.match(await instance.running.reload('test'), { kind: 'reloaded' })
  socket.resume()
  await closed
  const records = await eventually(
    () => instance.records(),
    (all) => all.some(({ properties }) => properties.closeReason === 'policy-revoked'),
  )
  t.match(records[0], {
    category: 'NspIntraPerimeterInboundAllowed',
    properties: { source: { resourceId: /teller$/ } },
  })
})
