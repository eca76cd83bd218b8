import type { BackEnd } from './children.ts'
import type { Certificate } from './certificate.ts'

/** What the stories happen in, and who plays in them. */

/** Ports of Ringfence, chosen before it starts so that documents and clients agree. */
export interface Ports {
  /** Inbound, behind the load balancer at `addresses.loadBalancer`. */
  readonly public: number
  /** Inbound, TLS ends here. */
  readonly publicTls: number
  /** Inbound, where private endpoints arrive. */
  readonly private: number
  /** Outbound, speaks for `orders`. */
  readonly ordersEgress: number
  /** Outbound, speaks for `search`. */
  readonly searchEgress: number
  /** Outbound, speaks for `ledger`. */
  readonly ledgerEgress: number
  /** Outbound, speaks for nobody. */
  readonly strayEgress: number
  readonly health: number
  /** Nothing listens there. */
  readonly closed: number
}

export interface Services {
  readonly blob: BackEnd
  readonly vault: BackEnd
  readonly search: BackEnd
  /** On the internet: takes payments. */
  readonly payments: BackEnd
  /** On the internet: serves updates. */
  readonly updates: BackEnd
  /** On the internet: where stolen data goes. */
  readonly drop: BackEnd
}

export interface World {
  readonly folder: string
  readonly settingsFile: string
  readonly shopFile: string
  readonly logFile: string
  readonly adminSocket: string
  readonly certificate: Certificate & { readonly text: string }
  readonly ports: Ports
  readonly services: Services
}

/** Who connects from where. All of 127.0.0.0/8 is this machine. */
export const addresses = {
  /** Believed about the client's address. */
  loadBalancer: '127.0.0.5',
  /** Believed about who calls. */
  gateway: '127.0.0.6',
  /** Its connections arrive over a private endpoint. */
  privateEndpoint: '127.0.0.7',
  stranger: '127.0.0.9',
} as const

export const shopSubscription = '11111111-1111-1111-1111-111111111111'
export const shopGroup = `/subscriptions/${shopSubscription}/resourceGroups/shop/providers`

/** Full ids of the members. */
export const members = {
  orders: `${shopGroup}/Microsoft.Storage/storageAccounts/orders`,
  vault: `${shopGroup}/Microsoft.KeyVault/vaults/keys`,
  search: `${shopGroup}/Microsoft.Search/searchServices/search`,
  ledger: `${shopGroup}/Ringfence.Local/services/ledger`,
} as const

/** The partner's subscription, which a rule names. */
export const partnerSubscription = '22222222-2222-2222-2222-222222222222'
