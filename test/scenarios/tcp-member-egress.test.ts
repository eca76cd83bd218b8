import { readFile } from 'node:fs/promises'
import t from 'tap'
import { startRawOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import {
  eventually,
  type LogRecord,
  perimeterDocument,
  startInProcess,
  type TestInstance,
  writeConfiguration,
} from '../support/ringfence.ts'

/**
 * A whole instance: `orders` reaches `ledger`, whose back end takes any bytes, by a CONNECT to one of its names and the
 * port of its listener. Nothing resolves these names, so whatever gets through was never dialled by the outbound side.
 */

type Test = Parameters<typeof startInProcess>[0]

interface Bank extends TestInstance {
  readonly origin: Awaited<ReturnType<typeof startRawOrigin>>
  /** Writes who is where, and reloads. */
  associate(members: {
    readonly shop: readonly object[]
    readonly bank?: readonly object[]
  }): Promise<void>
}

async function startBank(t: Test): Promise<Bank> {
  const origin = await startRawOrigin({
    onData: (socket, text) => void socket.write(`heard ${text.length}\n`),
  })
  t.teardown(() => origin.close())
  const own = { host: '127.0.0.1', port: 0 }
  const files = await writeConfiguration(t, {
    settings: {
      resources: [
        { id: 'orders', hosts: ['orders.test'], backend: 'http://127.0.0.1:1' },
        { id: 'ledger', hosts: ['ledger.test'], backend: `tcp://${origin.authority}` },
      ],
      inbound: [
        { name: 'public', listen: own },
        { name: 'books', listen: own, resource: 'ledger' },
      ],
      outbound: [{ name: 'egress', listen: own, resource: 'orders' }],
    },
    perimeters: {
      shop: perimeter('shop', [member('orders'), member('ledger')]),
      bank: perimeter('bank', []),
    },
  })
  const instance = await startInProcess(t, files)
  return {
    ...instance,
    origin,
    async associate({ shop, bank = [] }) {
      await files.write('perimeters/shop.yaml', perimeter('shop', shop))
      await files.write('perimeters/bank.yaml', perimeter('bank', bank))
      await instance.running.reload('test')
    },
  }
}

function perimeter(name: string, resourceAssociations: readonly object[]): object {
  return perimeterDocument(name, { profiles: [{ name: 'web' }], resourceAssociations })
}

function member(name: string, accessMode = 'Enforced'): object {
  return { name, privateLinkResource: { id: name }, profile: { id: 'web' }, accessMode }
}

async function connectTo(bank: Bank, t: Test, authority: string) {
  const client = await connectRaw({ port: bank.port('egress') })
  t.teardown(() => client.destroy())
  client.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
  return client
}

function ends(records: readonly LogRecord[]): readonly LogRecord[] {
  return records.filter(({ properties }) => properties.closeReason !== undefined)
}

void t.test('a member is joined in-process, and both ends say so under one id', async (t) => {
  const bank = await startBank(t)
  const client = await connectTo(bank, t, `LEDGER.test:${bank.port('books')}`)
  t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 200 /)
  client.send('hello')
  t.equal(await client.until('\n'), 'heard 5\n')
  client.end()
  t.same(await client.rest(), { text: '', how: 'end' }, 'half-closed through both tunnels')
  const records = await eventually(
    () => bank.records(),
    (seen) => ends(seen).length === 2,
  )
  t.equal(records.length, 4)
  t.equal(new Set(records.map(({ correlationId }) => correlationId)).size, 1)
  t.match(records.slice(0, 2), [
    {
      category: 'NspOutboundAttempt',
      operationName: 'CONNECT',
      properties: {
        reason: 'same-perimeter',
        destination: {
          resourceId: /\/services\/ledger$/,
          fullyQualifiedDomainName: 'ledger.test',
          protocol: 'TCP',
        },
      },
    },
    {
      category: 'NspIntraPerimeterInboundAllowed',
      operationName: 'TCP',
      properties: {
        reason: 'same-perimeter',
        serviceFqdn: 'ledger.test',
        source: { resourceId: /\/services\/orders$/, ipAddress: '127.0.0.1', protocol: 'TCP' },
      },
    },
  ])
  for (const { properties } of ends(records))
    t.match(properties, { bytesIn: 5, bytesOut: 8, closeReason: 'complete' })
})

void t.test('a port that its listener has not is closed', async (t) => {
  const bank = await startBank(t)
  for (const port of [5432, bank.port('public')]) {
    const client = await connectTo(bank, t, `ledger.test:${port}`)
    const answer = await client.response()
    t.equal(answer.status, 502)
    t.match(answer.body, /connect-refused/)
  }
  t.equal(bank.origin.accepted(), 0)
})

void t.test('who may leave does not thereby come in', async (t) => {
  const bank = await startBank(t)
  // `orders` may go anywhere, for it is learning; `ledger` is a member of another perimeter.
  await bank.associate({ shop: [member('orders', 'Learning')], bank: [member('ledger')] })
  const client = await connectTo(bank, t, `ledger.test:${bank.port('books')}`)
  client.send('hello')
  t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 200 /)
  t.equal((await client.rest()).text, '')
  t.equal(bank.origin.accepted(), 0)
  const records = await eventually(
    () => bank.records(),
    (seen) => seen.length >= 2,
  )
  t.match(records.slice(0, 2), [
    { properties: { reason: 'learning-mode', resultDirection: 'Outbound' } },
    {
      category: 'NspPublicInboundPerimeterRulesDenied',
      properties: { reason: 'no-matching-rule', resultDirection: 'Inbound' },
    },
  ])
})

void t.test('a member that leaves the perimeter is cut off on both sides', async (t) => {
  const bank = await startBank(t)
  const client = await connectTo(bank, t, `ledger.test:${bank.port('books')}`)
  await client.until('\r\n\r\n')
  client.send('hello')
  await client.until('\n')
  await bank.associate({ shop: [member('orders')] })
  t.equal((await client.rest()).how, 'reset')
  const records = await eventually(
    () => bank.records(),
    (seen) => ends(seen).length === 2,
  )
  t.ok(ends(records).some(({ properties }) => properties.closeReason === 'policy-revoked'))
  await eventually(
    () => bank.origin.sockets.size,
    (open) => open === 0,
  )
})

void t.test('a request to such a member is no answer, and changes nothing', async (t) => {
  const bank = await startBank(t)
  const client = await connectRaw({ port: bank.port('egress') })
  t.teardown(() => client.destroy())
  const host = `ledger.test:${bank.port('books')}`
  client.send(`GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  t.equal((await client.response()).status, 502, 'what it says is not HTTP')
})

void t.test('a listener that is to speak HTTP after a reload denies until a restart', async (t) => {
  const bank = await startBank(t)
  const direct = await connectRaw({ port: bank.port('books') })
  t.same((await direct.rest()).text, '', 'no rule lets this machine in')
  direct.destroy()
  const settings = await readFile(bank.configFile, 'utf8')
  await bank.write('ringfence.yaml', settings.replace('tcp://', 'http://'))
  const outcome = await bank.running.reload('test')
  t.match(outcome, { kind: 'reloaded', needsRestart: [/`books` now speaks another protocol/] })
  const client = await connectTo(bank, t, `ledger.test:${bank.port('books')}`)
  t.equal((await client.response()).status, 502)
  const again = await connectRaw({ port: bank.port('books') })
  again.send('GET / HTTP/1.1\r\nHost: ledger.test\r\n\r\n')
  t.same((await again.rest()).text, '')
  again.destroy()
  t.equal(bank.origin.accepted(), 0)
  const last = (
    await eventually(
      () => bank.records(),
      (seen) => seen.length >= 4,
    )
  ).at(-1)
  t.match(last, { properties: { reason: 'unknown-resource' } })
})
