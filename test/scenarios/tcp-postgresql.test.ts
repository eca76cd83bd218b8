import { stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { runTool, temporaryFolder, type ToolResult } from '../outbound/run-tool.ts'
import { createAuthority } from '../support/certificates.ts'
import { hasServers, startPostgresql } from '../support/database-servers.ts'
import {
  eventually,
  perimeterDocument,
  startInProcess,
  type TestInstance,
  writeConfiguration,
} from '../support/ringfence.ts'
import { connectRaw } from '../support/raw-client.ts'
import { listening } from '../transport/sockets.ts'

/** A real PostgreSQL behind a listener of its own, asked by a real psql. */

const loopback = { host: '127.0.0.1', port: 0 }

function bank(rules: { readonly office: boolean }): object {
  const office = { name: 'office', direction: 'Inbound', addressPrefixes: ['127.0.0.1/32'] }
  return perimeterDocument('bank', {
    profiles: [{ name: 'books', accessRules: rules.office ? [office] : [] }],
    resourceAssociations: ['ledger', 'orders'].map((name) => ({
      name,
      privateLinkResource: { id: name },
      profile: { id: 'books' },
      accessMode: 'Enforced',
    })),
  })
}

async function startBank(t: Test, backendPort: number, office: boolean): Promise<TestInstance> {
  const files = await writeConfiguration(t, {
    settings: {
      resources: [
        {
          id: 'ledger',
          hosts: ['ledger.test'],
          backend: `tcp://127.0.0.1:${backendPort}`,
        },
        { id: 'orders' },
      ],
      inbound: [{ name: 'books', listen: loopback, resource: 'ledger' }],
      outbound: [{ name: 'egress', listen: loopback, resource: 'orders' }],
    },
    perimeters: { bank: bank({ office }) },
  })
  return startInProcess(t, files)
}

/** As a program on the same machine would reach a member: its port here leads through the member's egress. */
async function forwardThrough(t: Test, instance: TestInstance, authority: string): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    void (async () => {
      const egress = await connectRaw({ port: instance.port('egress') })
      egress.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
      await egress.until('\r\n\r\n')
      const { stream } = egress
      stream.removeAllListeners('data')
      socket.pipe(stream).pipe(socket)
    })()
  })
  const port = await listening(server)
  t.teardown(() => void server.close())
  return port
}

void t.test('PostgreSQL', { timeout: 90_000 }, async (t) => {
  if (!hasServers(t, 'postgresql', ['psql', 'initdb', 'postgres'])) return
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const database = await startPostgresql(t, { certificate: authority.issue('ledger.test') })

  const psql = (
    t: Test,
    port: number,
    query: string,
    more = 'sslmode=disable',
    options: readonly string[] = [],
  ) =>
    runTool(t, [
      'psql',
      '--no-psqlrc',
      '--tuples-only',
      '--no-align',
      ...options,
      `host=ledger.test hostaddr=127.0.0.1 port=${port} user=tester dbname=postgres ${more}`,
      '--command',
      query,
    ])
  const answered = (result: ToolResult): string => {
    t.equal(result.code, 0, result.errors)
    return result.output.trim()
  }

  await t.test('an allowed psql reads and writes, much and little', async (t) => {
    const instance = await startBank(t, database.port, true)
    const port = instance.port('books')
    t.equal(answered(await psql(t, port, 'select 6 * 7')), '42')
    const file = join(temporaryFolder(t), 'rows')
    const bulk = "select repeat('x', 1000) from generate_series(1, 20000)"
    answered(await psql(t, port, bulk, 'sslmode=disable', ['--output', file]))
    t.equal((await stat(file)).size, 20_000 * 1001)
    const table = 'create table numbers as select generate_series(1, 100000) as n'
    answered(await psql(t, port, table))
    t.equal(answered(await psql(t, port, 'select sum(n) from numbers')), '5000050000')
    const records = await eventually(
      () => instance.records(),
      (seen) => seen.length === 8,
    )
    t.match(records[0], {
      category: 'NspPublicInboundPerimeterRulesAllowed',
      operationName: 'TCP',
      properties: { source: { ipAddress: '127.0.0.1', protocol: 'TCP' }, reason: 'access-rule' },
    })
    const ends = records.filter(({ properties }) => properties.closeReason !== undefined)
    t.ok(ends.every(({ properties }) => properties.closeReason === 'complete'))
  })

  await t.test(
    'TLS passes through: the certificate that psql verifies is the database own',
    async (t) => {
      const instance = await startBank(t, database.port, true)
      const query = 'select ssl, version from pg_stat_ssl where pid = pg_backend_pid()'
      for (const mode of ['require', `verify-full sslrootcert=${authority.caFile}`]) {
        const result = await psql(t, instance.port('books'), query, `sslmode=${mode}`)
        t.equal(answered(result), 't|TLSv1.3', mode)
      }
    },
  )

  await t.test('a psql that is not let in is told that it was closed, in order', async (t) => {
    const instance = await startBank(t, database.port, false)
    const before = database.log().length
    for (const mode of ['disable', 'prefer', 'require']) {
      const { code, errors } = await psql(t, instance.port('books'), 'select 1', `sslmode=${mode}`)
      t.equal(code, 2, mode)
      t.match(errors, /server closed the connection unexpectedly/, mode)
      t.notMatch(errors, /reset by peer/i, mode)
    }
    t.notMatch(database.log().slice(before), /connection received/, 'it was never dialled')
    const records = await eventually(
      () => instance.records(),
      (seen) => seen.length >= 3,
    )
    for (const { category } of records) t.equal(category, 'NspPublicInboundPerimeterRulesDenied')
  })

  await t.test(
    'a query that runs when the rule is withdrawn ends within two seconds',
    async (t) => {
      const instance = await startBank(t, database.port, true)
      const asleep = psql(t, instance.port('books'), 'select pg_sleep(30)')
      await eventually(
        () => instance.running.status().open,
        (open) => open === 1,
      )
      await instance.write('perimeters/bank.yaml', bank({ office: false }))
      const startedAt = performance.now()
      await instance.running.reload('test')
      const { code, errors } = await asleep
      t.ok(performance.now() - startedAt < 2000)
      t.equal(code, 2)
      t.match(errors, /connection/)
      const records = await eventually(
        () => instance.records(),
        (seen) => seen.length === 2,
      )
      t.equal(records[1]?.properties.closeReason, 'policy-revoked')
    },
  )

  await t.test('a member reaches it through its egress, TLS included', async (t) => {
    const instance = await startBank(t, database.port, false)
    const port = await forwardThrough(t, instance, `ledger.test:${instance.port('books')}`)
    const verify = `sslmode=verify-full sslrootcert=${authority.caFile}`
    t.equal(answered(await psql(t, port, 'select 6 * 7', verify)), '42')
    const records = await eventually(
      () => instance.records(),
      (seen) => seen.length === 4,
    )
    t.match(records.slice(0, 2), [
      { category: 'NspOutboundAttempt' },
      { category: 'NspIntraPerimeterInboundAllowed' },
    ])
    t.equal(new Set(records.map(({ correlationId }) => correlationId)).size, 1)
  })

  await t.test('a database that is down is a connection that was closed', async (t) => {
    const instance = await startBank(t, 1, true)
    const { code, errors } = await psql(t, instance.port('books'), 'select 1')
    t.equal(code, 2)
    t.match(errors, /server closed the connection unexpectedly/)
    const records = await eventually(
      () => instance.records(),
      (seen) => seen.length >= 2,
    )
    t.equal(records[1]?.properties.closeReason, 'connect-refused')
  })
})
