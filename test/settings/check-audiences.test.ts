import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { loadConfiguration } from '../../src/load-configuration.ts'
import { guidFor, testSubscription } from '../support/settings-parts.ts'
import { testIssuer } from '../support/tokens.ts'

const issuer = {
  issuer: testIssuer,
  jwksUrl: 'https://issuer.test/keys',
  perimeters: [guidFor('shop')],
  subscriptions: [testSubscription],
}

interface Case {
  readonly note: string
  /** Of the issuer. */
  readonly audiences?: readonly string[]
  readonly orders?: string
  readonly vault?: string
  /** Of a caller of the gateway. */
  readonly caller?: string
  readonly want: readonly RegExp[]
}

const shared = /^warning: a token for `orders` opens `vault` too/
const shown = /^error: `api:\/\/.*` is the audience of resources too/

const cases: readonly Case[] = [
  { note: 'each its own', orders: 'api://orders', vault: 'api://vault', want: [] },
  { note: 'the same for both', orders: 'api://one', vault: 'api://one', want: [shared] },
  { note: 'both by the issuer', audiences: ['api://one'], want: [shared] },
  { note: 'one by the issuer', audiences: ['api://one'], vault: 'api://vault', want: [] },
  {
    note: 'a caller of its own',
    orders: 'api://orders',
    vault: 'api://vault',
    caller: 'api://egress',
    want: [],
  },
  {
    note: 'a caller as a resource',
    orders: 'api://orders',
    vault: 'api://vault',
    caller: 'api://vault',
    want: [shown],
  },
  {
    note: 'a caller as what the issuer has',
    audiences: ['api://one'],
    vault: 'api://vault',
    caller: 'api://one',
    want: [shown],
  },
]

for (const { note, audiences, orders, vault, caller, want } of cases) {
  void t.test(`audiences: ${note}`, async (t) => {
    const directory = t.testdir({
      'shop.yaml': `name: shop
profiles: [{ name: web }]
resourceAssociations:
  - { name: one, privateLinkResource: { id: orders }, profile: { id: web } }
  - { name: two, privateLinkResource: { id: vault }, profile: { id: web } }
`,
    })
    const file = join(directory, 'ringfence.yaml')
    const listen = { host: '127.0.0.1', port: 0 }
    const resource = (id: string, audience: string | undefined): object => ({
      id,
      hosts: [`${id}.test`],
      backend: 'http://127.0.0.1:1',
      audience,
    })
    const settings = {
      scope: { subscriptionId: testSubscription, resourceGroup: 'shop' },
      policy: { files: ['shop.yaml'] },
      resources: [resource('orders', orders), resource('vault', vault)],
      inbound: [{ name: 'public', listen }],
      outbound:
        caller === undefined
          ? []
          : [{ name: 'egress', listen, callers: [{ resource: 'orders', tokenAudience: caller }] }],
      identity: { tokens: { issuers: [{ ...issuer, audiences }] } },
    }
    await writeFile(file, JSON.stringify(settings))
    const loaded = await loadConfiguration(file, { instance: 'x' })
    const problems = loaded.kind === 'loaded' ? loaded.warnings : loaded.problems
    const messages = problems.map(({ severity, message }) => `${severity}: ${message}`)
    t.equal(messages.length, want.length, messages.join('\n'))
    for (const [index, pattern] of want.entries()) t.match(messages[index], pattern)
  })
}
