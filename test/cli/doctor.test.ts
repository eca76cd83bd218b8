import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import { runDoctor } from '../../src/cli/commands/doctor.ts'
import { startOrigin } from '../support/origin.ts'
import { perimeterDocument, startInProcess, writeConfiguration } from '../support/ringfence.ts'

/** The doctor and real instances. */

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

interface Options {
  readonly accessMode?: 'Enforced' | 'Learning'
  readonly headersTrustedFrom?: readonly string[]
  readonly isRunning?: boolean
}

interface Examined {
  readonly exitCode: number
  readonly out: string
  readonly err: string
  /** Connections that back ends have got. */
  readonly accepted: number
}

async function examined(
  t: Parameters<typeof startInProcess>[0],
  { accessMode = 'Enforced', headersTrustedFrom = [], isRunning = true }: Options,
): Promise<Examined> {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const listen = async (): Promise<object> => ({ host: '127.0.0.1', port: await freePort() })
  const files = await writeConfiguration(t, {
    settings: {
      resources: [
        { id: 'orders', hosts: ['orders.test'], backend: origin.url },
        { id: 'vault', hosts: ['vault.test'], backend: origin.url },
      ],
      inbound: [{ name: 'public', listen: await listen() }],
      outbound: [{ name: 'egress', listen: await listen(), resource: 'orders' }],
      identity: { headersTrustedFrom },
      health: { listen: await listen() },
      timeouts: { dnsMs: 300 },
      egress: { nameservers: [`127.0.0.1:${await freePort()}`] },
    },
    perimeters: {
      shop: perimeterDocument('shop', {
        profiles: [
          {
            name: 'web',
            accessRules: [
              { name: 'office', direction: 'Inbound', addressPrefixes: ['203.0.113.0/24'] },
              {
                name: 'partner',
                direction: 'Inbound',
                subscriptions: [{ id: '/subscriptions/22222222-2222-2222-2222-222222222222' }],
              },
              { name: 'api', direction: 'Outbound', fullyQualifiedDomainNames: ['api.example'] },
            ],
          },
        ],
        resourceAssociations: ['orders', 'vault'].map((name) => ({
          name,
          privateLinkResource: { id: name },
          profile: { id: 'web' },
          accessMode,
        })),
      }),
    },
  })
  if (isRunning) await startInProcess(t, files)
  let out = ''
  let err = ''
  const exitCode = await runDoctor({
    config: files.configFile,
    json: false,
    out: (text) => (out += text),
    err: (text) => (err += text),
  })
  return { exitCode, out, err, accepted: origin.accepted() }
}

void t.test('an instance that is Enforced is held throughout', async (t) => {
  const { exitCode, out, err, accepted } = await examined(t, {})
  t.strictSame([exitCode, err], [0, ''], out)
  t.equal(accepted, 0)
  t.match(out, /^0 OPEN, 0 learning, 0 not tried, [3-9]\d held$/m)
  for (const probe of [
    'egress: CONNECT to an unlisted host: no-matching-rule',
    'egress: CONNECT to the metadata service: no-matching-rule',
    'egress: CONNECT to its own listener health: no-matching-rule',
    'public: an unlisted host: unknown-resource',
    'public: a forged subscription for orders.test: no-matching-rule',
    'public: a forged member for vault.test: no-matching-rule',
    'public: a forged address for orders.test: no-matching-rule',
    'admin: the admin socket for anybody but its owner: mode 0600',
  ]) {
    t.match(out, `held      ${probe}\n`)
  }
})

void t.test('where a resource learns, the guard still holds', async (t) => {
  const { exitCode, out } = await examined(t, { accessMode: 'Learning' })
  t.equal(exitCode, 0, out)
  t.match(out, 'learning  egress: CONNECT to an unlisted host: the resource is in Learning\n')
  t.match(out, 'held      egress: CONNECT to the metadata service: address-not-public\n')
  t.match(
    out,
    'learning  public: a forged subscription for orders.test: the resource is in Learning\n',
  )
})

void t.test('trust in everybody is open', async (t) => {
  const { exitCode, out } = await examined(t, { headersTrustedFrom: ['0.0.0.0/0'] })
  t.equal(exitCode, 1)
  t.match(
    out,
    /^OPEN {6}public: a forged subscription for orders\.test: x-nsp-subscription-id is believed/m,
  )
})

void t.test('an instance that does not run is not good', async (t) => {
  const { exitCode, out, err } = await examined(t, { isRunning: false })
  t.equal(exitCode, 1)
  t.match(out, /not tried +egress: CONNECT to an unlisted host: ECONNREFUSED/)
  t.match(out, /^0 OPEN, 0 learning, \d+ not tried, 0 held$/m)
  t.match(err, 'does the instance run?')
})

void t.test('settings that are broken are told, and an empty name is wrong usage', async (t) => {
  const files = await writeConfiguration(t, { settings: { nonsense: true }, perimeters: {} })
  const out: string[] = []
  const err: string[] = []
  const streams = {
    out: (text: string) => void out.push(text),
    err: (text: string) => void err.push(text),
  }
  t.equal(await runDoctor({ config: files.configFile, json: true, ...streams }), 1)
  t.match(err.join(''), 'nonsense')
  t.equal(await runDoctor({ config: '', json: false, ...streams }), 2)
  t.strictSame(out, [])
})
