import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import {
  type AdminPorts,
  createAdminServer,
  type ReloadOutcome,
} from '../../src/admin/admin-socket.ts'
import { createRecentDenials } from '../../src/admin/denials.ts'
import { buildInForce } from '../support/in-force.ts'
import { ask, type TextResponse } from '../support/http-get.ts'
import { recordOf } from '../support/records.ts'
import { statusOf } from '../support/status.ts'

type Test = Pick<typeof t, 'teardown'>
type Ask = (method: string, path: string) => Promise<TextResponse & { readonly json: unknown }>

async function startAdmin(t: Test, ports: Partial<AdminPorts>): Promise<Ask> {
  const folder = await mkdtemp(join(tmpdir(), 'ringfence-admin-'))
  const socketPath = join(folder, 'admin.sock')
  const server = createAdminServer({
    currentInForce: () => undefined,
    status: () => statusOf(),
    denials: () => Promise.resolve([]),
    reload: () => Promise.reject(new Error('not expected')),
    onFault: (error) => {
      throw error
    },
    ...ports,
  })
  t.teardown(async () => {
    server.close()
    await rm(folder, { recursive: true })
  })
  server.listen(socketPath)
  await once(server, 'listening')
  return async (method, path) => {
    const response = await ask({ socketPath, method, path })
    return { ...response, json: JSON.parse(response.body) as unknown }
  }
}

void t.test('GET /policy shows what is in force as in the perimeter files', async (t) => {
  const inForce = buildInForce({
    resources: [
      {
        id: 'orders',
        hosts: ['orders.test'],
        backend: 'https://orders-backend.test:8443',
        backendCaFile: '/etc/secret/ca.pem',
      },
    ],
    perimeters: [
      {
        name: 'shop',
        profiles: [
          {
            name: 'web',
            accessRules: [
              { name: 'office', addressPrefixes: ['203.0.113.0/24'] },
              { name: 'payments', fullyQualifiedDomainNames: ['api.stripe.com', '*.vault.test'] },
            ],
          },
        ],
        associations: [{ resource: 'orders', accessMode: 'Learning' }],
        links: [{ to: 'billing' }],
      },
    ],
  })
  const askAdmin = await startAdmin(t, { currentInForce: () => inForce })
  const { status, json, body } = await askAdmin('GET', '/policy')
  t.equal(status, 200)
  t.match(json, {
    version: inForce.version,
    perimeters: [
      {
        name: 'shop',
        profiles: [
          {
            name: 'web',
            accessRules: [
              { name: 'office', direction: 'Inbound', addressPrefixes: ['203.0.113.0/24'] },
              { fullyQualifiedDomainNames: ['api.stripe.com', '*.vault.test'] },
            ],
          },
        ],
        resourceAssociations: [{ name: 'orders', accessMode: 'Learning' }],
        links: [{ name: 'to-billing' }],
      },
    ],
    resources: [
      {
        hosts: ['orders.test'],
        backend: 'https://orders-backend.test:8443',
        publicNetworkAccess: 'Enabled',
        association: { perimeter: 'shop', profile: 'web', accessMode: 'Learning' },
      },
    ],
    egressPorts: [80, 443],
  })
  t.notMatch(body, /secret/, 'paths of key material stay inside')
})

void t.test('GET /policy spells every rule out, however many there are', async (t) => {
  const guid = '22222222-2222-2222-2222-222222222222'
  const many = Array.from({ length: 3000 }, (_, index) => `api-${index}.example`)
  const accessRules = [
    { name: 'partner', subscriptions: [guid] },
    { name: 'both', addressPrefixes: ['203.0.113.0/24'], subscriptions: [guid] },
    { name: 'services', serviceTags: { Storage: ['192.0.2.0/24'], Monitor: ['192.0.2.7'] } },
    { name: 'nobody' },
    { name: 'many', fullyQualifiedDomainNames: many },
  ]
  const inForce = buildInForce({
    resources: [{ id: 'orders', hosts: ['orders.test'] }],
    perimeters: [
      { name: 'shop', profiles: [{ name: 'web', accessRules }, { name: 'none' }] },
      { name: 'bare', profiles: [] },
    ],
  })
  const askAdmin = await startAdmin(t, { currentInForce: () => inForce })
  const { json } = await askAdmin('GET', '/policy')
  const none = {
    addressPrefixes: [],
    subscriptions: [],
    serviceTags: [],
    fullyQualifiedDomainNames: [],
  }
  const subscriptions = [{ id: `/subscriptions/${guid}` }]
  const [shop, bare] = Reflect.get(Object(json), 'perimeters') as { profiles: unknown }[]
  t.strictSame(shop?.profiles, [
    {
      name: 'web',
      accessRules: [
        { name: 'partner', direction: 'Inbound', ...none, subscriptions },
        {
          name: 'both',
          direction: 'Inbound',
          ...none,
          addressPrefixes: ['203.0.113.0/24'],
          subscriptions,
        },
        {
          name: 'services',
          direction: 'Inbound',
          ...none,
          serviceTags: ['Storage', 'Monitor'],
        },
        { name: 'nobody', direction: 'Inbound', ...none },
        { name: 'many', direction: 'Outbound', ...none, fullyQualifiedDomainNames: many },
      ],
    },
    { name: 'none', accessRules: [] },
  ])
  t.strictSame(bare?.profiles, [])
})

void t.test(
  'GET /policy of a policy that is gone from memory is cut off, never made up',
  async (t) => {
    const inForce = buildInForce({
      perimeters: [
        {
          name: 'shop',
          profiles: [
            { name: 'web', accessRules: [{ name: 'a', addressPrefixes: ['10.0.0.0/8'] }] },
          ],
        },
      ],
    })
    const [shop] = inForce.snapshot.perimetersByGuid.values()
    const [web] = shop?.profiles ?? []
    if (shop === undefined || web === undefined) throw new Error('the policy has them')
    const lines = (): never => {
      throw new Error('the tables of this policy are gone')
    }
    const profiles = [{ ...web, rules: { ...web.rules, lines } }]
    const snapshot = {
      ...inForce.snapshot,
      perimetersByGuid: new Map([[shop.guid, { ...shop, profiles }]]),
    }
    const faults: unknown[] = []
    const askAdmin = await startAdmin(t, {
      currentInForce: () => ({ ...inForce, snapshot }),
      onFault: (error) => faults.push(error),
    })
    await t.rejects(askAdmin('GET', '/policy'), { code: 'ECONNRESET' })
    t.match(faults, [/gone/])
  },
)

void t.test('GET /policy without a policy says that everything is denied', async (t) => {
  const askAdmin = await startAdmin(t, {})
  t.equal((await askAdmin('GET', '/policy')).status, 503)
})

void t.test('GET /denials lists and finds', async (t) => {
  const denials = createRecentDenials()
  denials.note(recordOf({ correlationId: 'a' }))
  denials.note(recordOf({ correlationId: 'b' }))
  const askAdmin = await startAdmin(t, {
    denials: (correlationId) => Promise.resolve(denials.list(correlationId)),
  })
  const all = await askAdmin('GET', '/denials')
  t.match(all.json, { denials: [{ correlationId: 'b' }, { correlationId: 'a' }] })
  const one = await askAdmin('GET', '/denials?correlationId=a')
  t.match(one.json, { denials: [{ correlationId: 'a' }] })
  t.notMatch(one.body, /"b"/)
})

void t.test('POST /reload answers with what came of it', async (t) => {
  const cases: readonly {
    readonly note: string
    readonly outcome: ReloadOutcome
    readonly status: number
    readonly body: unknown
  }[] = [
    {
      note: 'reloaded',
      outcome: {
        kind: 'reloaded',
        version: 'v2',
        changed: true,
        needsRestart: ['`audit.file`'],
        warnings: [],
      },
      status: 200,
      body: { reloaded: true, version: 'v2', changed: true, needsRestart: ['`audit.file`'] },
    },
    {
      note: 'failed, with every problem',
      outcome: { kind: 'failed', version: 'v1', problems: ['a:1:1: error: x', 'b:2:2: error: y'] },
      status: 422,
      body: { reloaded: false, version: 'v1', problems: ['a:1:1: error: x', 'b:2:2: error: y'] },
    },
  ]
  for (const { note, outcome, status, body } of cases) {
    await t.test(note, async (t) => {
      const askAdmin = await startAdmin(t, { reload: () => Promise.resolve(outcome) })
      const answer = await askAdmin('POST', '/reload')
      t.equal(answer.status, status)
      t.match(answer.json, body)
    })
  }

  await t.test('is not done by GET', async (t) => {
    const askAdmin = await startAdmin(t, {})
    const answer = await askAdmin('GET', '/reload')
    t.strictSame([answer.status, answer.headers.allow], [405, 'POST'])
  })
})

void t.test('GET /status tells all about the last reload', async (t) => {
  const status = statusOf({ lastReloadFailed: true, lastProblems: ['a:1:1: error: x'] })
  const askAdmin = await startAdmin(t, { status: () => status })
  t.match((await askAdmin('GET', '/status')).json, {
    ready: true,
    policyVersion: 'v1',
    lastReloadFailed: true,
    lastProblems: ['a:1:1: error: x'],
  })
})

void t.test('an unknown path gets the list of endpoints', async (t) => {
  const askAdmin = await startAdmin(t, {})
  const { status, json } = await askAdmin('GET', '/help')
  t.equal(status, 404)
  t.match(json, {
    endpoints: [/^GET \/status: /, /^GET \/policy: /, /^GET \/denials: /, /^POST \/reload: /],
  })
})
