import {
  addresses,
  members,
  partnerSubscription,
  shopGroup,
  shopSubscription,
  type World,
} from './world.ts'

/** The documents of the demo, as a person would write them. */

/** What the reload story changes. */
export interface ShopRules {
  /** Whether the office may reach orders. */
  readonly office: boolean
  /** Whether orders may reach the payments host. */
  readonly payments: boolean
  readonly searchMode: 'Learning' | 'Enforced'
}

/** Before anything changes. */
export const startRules: ShopRules = { office: true, payments: true, searchMode: 'Learning' }

/** `ringfence.yaml`. */
export function settingsDocument({ ports, services, logFile, adminSocket }: World): string {
  const { blob, vault, search, payments, updates, drop } = services
  const fqdnPorts = [payments.port, payments.tlsPort, updates.port, drop.port, ports.closed]
  return `\
# Made by \`ringfence demo\`. Everything here is loopback: the "internet" lives in egress.hosts.
instance: demo
scope: { subscriptionId: ${shopSubscription}, resourceGroup: shop }
policy:
  files: ["perimeters/*.yaml"]
resources:
  # Members of the perimeter shop.
  - id: ${members.orders}
    hosts: [orders.demo.example]
    backend: http://127.0.0.1:${blob.port}
  - id: ${members.vault}
    hosts: [vault.demo.example]
    backend: https://127.0.0.1:${vault.tlsPort}
    backendCaFile: certificate.pem
  - id: ${members.search}
    hosts: [search.demo.example]
    backend: http://127.0.0.1:${search.port}
  - id: reports
    hosts: [reports.demo.example]
    backend: http://127.0.0.1:${ports.closed}   # its service is down
  # Member of the perimeter billing, which is linked to shop.
  - id: ledger
    hosts: [ledger.demo.example]
    backend: http://127.0.0.1:${blob.port}
  # In no perimeter: these have their own rules, or none that lets anybody in.
  - id: legacy
    hosts: [legacy.demo.example]
    backend: http://127.0.0.1:${blob.port}
    publicNetworkAccess: Enabled
    firewall: { defaultAction: Deny, ipRules: [203.0.113.0/24] }
  - id: closed
    hosts: [closed.demo.example]
    backend: http://127.0.0.1:${blob.port}
    publicNetworkAccess: Disabled
  - id: orphan
    hosts: [orphan.demo.example]
    backend: http://127.0.0.1:${blob.port}
inbound:
  - name: public
    listen: { host: 127.0.0.1, port: ${ports.public} }
    trustedProxies: [${addresses.loadBalancer}/32]
  - name: public-tls
    listen: { host: 127.0.0.1, port: ${ports.publicTls} }
    tls: { certificateFile: certificate.pem, keyFile: key.pem }
  - name: private
    listen: { host: 127.0.0.1, port: ${ports.private} }
    network: private
    clients: [${addresses.privateEndpoint}/32]
outbound:
  - name: orders-egress
    listen: { host: 127.0.0.1, port: ${ports.ordersEgress} }
    resource: ${members.orders}
  - name: search-egress
    listen: { host: 127.0.0.1, port: ${ports.searchEgress} }
    resource: ${members.search}
  - name: ledger-egress
    listen: { host: 127.0.0.1, port: ${ports.ledgerEgress} }
    resource: ledger
  - name: stray-egress   # speaks for nobody: whoever uses it is refused
    listen: { host: 127.0.0.1, port: ${ports.strayEgress} }
identity:
  headersTrustedFrom: [${addresses.gateway}/32]
egress:
  ports: [80, 443, ${fqdnPorts.join(', ')}]
  hosts:
    payments.demo.example: [127.0.0.1]
    updates.demo.example: [127.0.0.1]
    drop.attacker.example: [127.0.0.1]
    down.demo.example: [127.0.0.1]
    metadata.demo.example: [169.254.169.254]
    intranet.demo.example: [10.0.0.5]
  privateAddresses:
    payments.demo.example: [127.0.0.1/32]
    updates.demo.example: [127.0.0.1/32]
    drop.attacker.example: [127.0.0.1/32]
    down.demo.example: [127.0.0.1/32]
  nameservers: ["127.0.0.1:${ports.closed}"]   # nobody answers: no query leaves this machine
timeouts:
  dnsMs: 500
audit:
  file: ${logFile}
  flushIntervalMs: 10
health:
  listen: { host: 127.0.0.1, port: ${ports.health} }
admin:
  socket: ${adminSocket}
`
}

/** \`perimeters/shop.yaml\`. */
export function shopPerimeter({ office, payments, searchMode }: ShopRules): string {
  const officeRule = office
    ? '\n      - { name: office, direction: Inbound, addressPrefixes: [203.0.113.0/24] }'
    : ''
  const paymentsRule = payments
    ? '\n      - { name: payments, direction: Outbound, fullyQualifiedDomainNames: [payments.demo.example] }'
    : ''
  return `\
name: shop
subscriptionId: ${shopSubscription}
resourceGroup: shop
location: local
profiles:
  - name: web
    accessRules:${officeRule}
      - { name: partner, direction: Inbound, subscriptions: [{ id: /subscriptions/${partnerSubscription} }] }${paymentsRule}
      - { name: updates, direction: Outbound, fullyQualifiedDomainNames: [updates.demo.example] }
      - { name: cloud, direction: Outbound, fullyQualifiedDomainNames: [metadata.demo.example, down.demo.example] }
  - name: internal
    accessRules: []
resourceAssociations:
  - { name: orders, privateLinkResource: { id: orders }, profile: { id: web }, accessMode: Enforced }
  - { name: vault, privateLinkResource: { id: keys }, profile: { id: internal }, accessMode: Enforced }
  - { name: search, privateLinkResource: { id: search }, profile: { id: internal }, accessMode: ${searchMode} }
  - { name: reports, privateLinkResource: { id: reports }, profile: { id: internal }, accessMode: Audit }
links:
  - name: to-billing
    autoApprovedRemotePerimeterResourceId: ${shopGroup}/Microsoft.Network/networkSecurityPerimeters/billing
    localInboundProfiles: [web]      # billing may reach orders, and not the vault
    remoteInboundProfiles: ["*"]
`
}

/** \`perimeters/billing.yaml\`. */
export function billingPerimeter(): string {
  return `\
name: billing
subscriptionId: ${shopSubscription}
resourceGroup: shop
location: local
profiles:
  - name: books
    accessRules: []
resourceAssociations:
  - { name: ledger, privateLinkResource: { id: ledger }, profile: { id: books }, accessMode: Enforced }
linkReferences:
  - name: from-shop   # without this consent the link of shop would not count
    remotePerimeterResourceId: ${shopGroup}/Microsoft.Network/networkSecurityPerimeters/shop
    localInboundProfiles: [books]
    status: Approved
`
}
