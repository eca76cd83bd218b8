/** A configuration that `explain` and `decide` are tried on: `testdir` takes it as it is. */
export const explainConfiguration = {
  'ringfence.yaml': `scope: { subscriptionId: 11111111-1111-1111-1111-111111111111, resourceGroup: shop }
policy: { files: ["perimeters/*"] }
resources:
  - { id: orders, hosts: [orders.example], backend: "http://127.0.0.1:10000" }
  - { id: trial, hosts: [trial.example], backend: "http://127.0.0.1:10001" }
  - { id: ledger, hosts: [ledger.example], backend: "http://127.0.0.1:10002" }
  - { id: lost, hosts: [lost.example], backend: "http://127.0.0.1:10003" }
  - { id: closed, hosts: [closed.example], backend: "http://127.0.0.1:10004", publicNetworkAccess: Disabled }
  - id: legacy
    hosts: [legacy.example]
    backend: "http://127.0.0.1:10005"
    publicNetworkAccess: Enabled
    firewall: { defaultAction: Deny, ipRules: [192.0.2.0/24] }
  - { id: cache, hosts: [cache.example], backend: "tcp://127.0.0.1:6379" }
inbound:
  - { name: public, listen: { host: 127.0.0.1, port: 8080 } }
  - { name: cache, listen: { host: 127.0.0.1, port: 16379 }, resource: cache }
  - { name: other, listen: { host: localhost, port: 443 } }
egress:
  hosts:
    some.vault.example: [127.0.0.1, 203.0.113.9, 93.184.216.34]
    none.vault.example: [10.1.2.3]
    granted.vault.example: [10.1.2.3, 127.0.0.1]
    unlisted.example: [93.184.216.34]
    ledger.example: [10.1.2.3]
  privateAddresses:
    granted.vault.example: [10.1.0.0/16]
    none.vault.example: [10.2.0.0/16]
`,
  perimeters: {
    'shop.yaml': `name: shop
perimeterGuid: 7d0c2c1e-5a0f-4e0f-9a43-0d3a5a3f7b11
profiles:
  - name: web
    accessRules:
      - { name: office, direction: Inbound, addressPrefixes: [203.0.113.0/24, "2001:db8::/32"] }
      - { name: partner, direction: Inbound, subscriptions: [{ id: /subscriptions/22222222-2222-2222-2222-222222222222 }] }
      - { name: payments, direction: Outbound, fullyQualifiedDomainNames: [api.stripe.com, "*.vault.example"] }
resourceAssociations:
  - { name: orders, privateLinkResource: { id: orders }, profile: { id: web }, accessMode: Enforced }
  - { name: trial, privateLinkResource: { id: trial }, profile: { id: web } }
  - { name: cache, privateLinkResource: { id: cache }, profile: { id: web }, accessMode: Enforced }
`,
    'billing.yaml': `name: billing
perimeterGuid: 8e1d3d2f-6b1a-4f1a-8b54-1e4b6b4a8c22
profiles:
  - { name: books }
resourceAssociations:
  - { name: ledger, privateLinkResource: { id: ledger }, profile: { id: books }, accessMode: Enforced }
links:
  - name: to-shop
    autoApprovedRemotePerimeterResourceId: /subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop/providers/Microsoft.Network/networkSecurityPerimeters/shop
    localInboundProfiles: ["*"]
`,
  },
} as const
