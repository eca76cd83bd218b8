import type t from 'tap'
import {
  type ConfigurationFiles,
  perimeterDocument,
  writeConfiguration,
  withDefaults,
} from './ringfence.ts'

/**
 * A shop in documents: `orders` and `vault` are Enforced members behind one inbound listener, `egress` speaks for
 * `orders`. Everything is on loopback, so the office is 127.0.0.1 and the outside is `*.outside.test`.
 */

type Test = Pick<typeof t, 'teardown'>

export interface ShopRules {
  /** Whether a rule lets the office (127.0.0.1) in to `orders`; default true. */
  readonly office?: boolean
  /** Names that `orders` may go out to. */
  readonly outside?: readonly string[]
  /** A rule that decides nothing, so that versions differ. */
  readonly marker?: string
}

export interface Shop extends ConfigurationFiles {
  setRules(rules: ShopRules): Promise<void>
  setSettings(change: object): Promise<void>
}

export interface ShopOptions {
  /** Port of an http origin behind `orders` and `vault`. */
  readonly backendPort: number
  /** Ports of origins that play the outside. */
  readonly outsidePorts?: readonly number[]
  readonly rules?: ShopRules
  /** Over the settings. */
  readonly settings?: object
}

const outsideNames = ['api.outside.test', 'drop.outside.test'] as const

export async function writeShop(t: Test, options: ShopOptions): Promise<Shop> {
  const settings = { ...shopSettings(options), ...options.settings }
  const files = await writeConfiguration(t, {
    settings,
    perimeters: { shop: shopPerimeter(options.rules ?? {}) },
  })
  return {
    ...files,
    setRules: (rules) => files.write('perimeters/shop.yaml', shopPerimeter(rules)),
    setSettings: (change) =>
      files.write('ringfence.yaml', withDefaults({ ...settings, ...change })),
  }
}

export function shopSettings({ backendPort, outsidePorts = [] }: ShopOptions): object {
  const backend = `http://127.0.0.1:${backendPort}`
  return {
    resources: [
      { id: 'orders', hosts: ['orders.test'], backend },
      { id: 'vault', hosts: ['vault.test'], backend },
    ],
    inbound: [{ name: 'public', listen: { host: '127.0.0.1', port: 0 } }],
    outbound: [{ name: 'egress', listen: { host: '127.0.0.1', port: 0 }, resource: 'orders' }],
    egress: {
      ports: [80, 443, ...outsidePorts],
      hosts: Object.fromEntries(outsideNames.map((name) => [name, ['127.0.0.1']])),
      privateAddresses: Object.fromEntries(outsideNames.map((name) => [name, ['127.0.0.1/32']])),
    },
  }
}

export function shopPerimeter({
  office = true,
  outside = ['api.outside.test'],
  marker = 'none',
}: ShopRules): object {
  const officeRule = { name: 'office', direction: 'Inbound', addressPrefixes: ['127.0.0.1/32'] }
  return perimeterDocument('shop', {
    profiles: [
      {
        name: 'web',
        accessRules: [
          { name: `marker-${marker}`, direction: 'Inbound', addressPrefixes: ['192.0.2.1/32'] },
          ...(office ? [officeRule] : []),
          ...outside.map((name, index) => ({
            name: `outside-${index}`,
            direction: 'Outbound',
            fullyQualifiedDomainNames: [name],
          })),
        ],
      },
      { name: 'always', accessRules: [officeRule] },
    ],
    resourceAssociations: [
      association('orders', 'web'),
      // Its rules never change: what goes on there must go on.
      association('vault', 'always'),
    ],
  })
}

function association(name: string, profile: string): object {
  return {
    name,
    privateLinkResource: { id: name },
    profile: { id: profile },
    accessMode: 'Enforced',
  }
}
