import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { runTool } from '../outbound/run-tool.ts'
import { createAuthority } from '../support/certificates.ts'
import { hasServers, startRedis } from '../support/database-servers.ts'
import {
  eventually,
  perimeterDocument,
  startInProcess,
  type TestInstance,
  writeConfiguration,
} from '../support/ringfence.ts'

/** A real Redis behind a listener of its own, asked by a real redis-cli. */

const loopback = { host: '127.0.0.1', port: 0 }

async function startShop(
  t: Test,
  more: { readonly backendPort: number; readonly office: boolean },
): Promise<TestInstance> {
  const { backendPort, office } = more
  const rule = { name: 'office', direction: 'Inbound', addressPrefixes: ['127.0.0.1/32'] }
  const association = {
    name: 'cache',
    privateLinkResource: { id: 'cache' },
    profile: { id: 'web' },
  }
  const files = await writeConfiguration(t, {
    settings: {
      resources: [{ id: 'cache', backend: `tcp://127.0.0.1:${backendPort}` }],
      inbound: [{ name: 'cache', listen: loopback, resource: 'cache' }],
    },
    perimeters: {
      shop: perimeterDocument('shop', {
        profiles: [{ name: 'web', accessRules: office ? [rule] : [] }],
        resourceAssociations: [{ ...association, accessMode: 'Enforced' }],
      }),
    },
  })
  return startInProcess(t, files)
}

function redisCli(instance: TestInstance): readonly string[] {
  return ['redis-cli', '-h', '127.0.0.1', '-p', String(instance.port('cache'))]
}

void t.test('Redis', { timeout: 90_000 }, async (t) => {
  if (!hasServers(t, 'redis-server', ['redis-server', 'redis-cli'])) return
  const redis = await startRedis(t)

  await t.test('an allowed redis-cli sets, gets and sends very much ahead', async (t) => {
    const instance = await startShop(t, { backendPort: redis.port, office: true })
    const cli = redisCli(instance)
    t.equal((await runTool(t, [...cli, 'SET', 'greeting', 'hello'])).output, 'OK\n')
    t.equal((await runTool(t, [...cli, 'GET', 'greeting'])).output, 'hello\n')
    const count = 50_000
    const [program = '', ...parameters] = cli
    const child = spawn(program, [...parameters, '--pipe'])
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    child.stdin.end('SET key value\r\n'.repeat(count))
    await once(child, 'close')
    t.match(said, `errors: 0, replies: ${count}`)
    const records = await eventually(
      () => instance.records(),
      (seen) => seen.length === 6,
    )
    t.match(records[0], { category: 'NspPublicInboundPerimeterRulesAllowed' })
    t.equal(records.at(-1)?.properties.closeReason, 'complete')
  })

  await t.test('TLS passes through', async (t) => {
    const authority = createAuthority()
    t.teardown(() => authority.remove())
    const secure = await startRedis(t, { certificate: authority.issue('127.0.0.1', 'localhost') })
    const instance = await startShop(t, { backendPort: secure.port, office: true })
    const tls = ['--tls', '--cacert', authority.caFile, '--sni', 'localhost']
    const { output, errors } = await runTool(t, [...redisCli(instance), ...tls, 'PING'])
    t.equal(output, 'PONG\n', errors)
  })

  await t.test('one that is not let in is told that it was closed', async (t) => {
    const instance = await startShop(t, { backendPort: redis.port, office: false })
    const { code, errors } = await runTool(t, [...redisCli(instance), 'PING'])
    t.not(code, 0)
    t.match(errors, /Server closed the connection/)
    const records = await eventually(
      () => instance.records(),
      (seen) => seen.length >= 1,
    )
    for (const { category } of records) t.equal(category, 'NspPublicInboundPerimeterRulesDenied')
    // A connection of the server's own count: this one alone.
    const direct = ['redis-cli', '-p', String(redis.port), 'CLIENT', 'LIST']
    t.match((await runTool(t, direct)).output, /^id=\d+ [^\n]*\n$/)
  })
})
