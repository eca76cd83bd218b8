import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import t from 'tap'
import { loadConfiguration } from '../../src/load-configuration.ts'
import { createAuthority } from '../support/certificates.ts'

const authority = createAuthority()
t.teardown(() => authority.remove())
const one = authority.issue('orders.localhost')
const other = authority.issue('other.localhost')

async function check(directory: string, settings: string) {
  const file = join(directory, 'ringfence.yaml')
  await writeFile(file, settings)
  const loaded = await loadConfiguration(file, { instance: 'x' })
  const problems = loaded.kind === 'loaded' ? loaded.warnings : loaded.problems
  return { messages: problems.map(({ message }) => message), watched: loaded.watchedFiles }
}

function settings(tls: {
  readonly certificate: string
  readonly key: string
  readonly ca: string
}): string {
  return `scope: { subscriptionId: 11111111-1111-1111-1111-111111111111, resourceGroup: shop }
policy: { files: [shop.yaml] }
resources:
  - { id: orders, hosts: [orders.localhost], backend: "https://127.0.0.1:10000", backendCaFile: "${tls.ca}" }
inbound:
  - name: public
    listen: { host: 127.0.0.1, port: 0 }
    tls: { certificateFile: "${tls.certificate}", keyFile: "${tls.key}" }
`
}

const perimeter = `name: shop
profiles: [{ name: web }]
resourceAssociations: [{ name: orders, privateLinkResource: { id: orders }, profile: { id: web } }]
`

void t.test('checkKeyFiles: a pair that fits has no problem and is watched', async (t) => {
  const directory = t.testdir({ 'shop.yaml': perimeter })
  const tls = { certificate: one.certificateFile, key: one.keyFile, ca: authority.caFile }
  const { messages, watched } = await check(directory, settings(tls))
  t.same(messages, [])
  for (const file of [one.certificateFile, one.keyFile, authority.caFile]) {
    t.ok(watched.includes(file), file)
  }
})

void t.test('checkKeyFiles: a key of another certificate is an error', async (t) => {
  const directory = t.testdir({ 'shop.yaml': perimeter })
  const tls = { certificate: one.certificateFile, key: other.keyFile, ca: authority.caFile }
  const { messages } = await check(directory, settings(tls))
  t.same(messages, ['the private key does not belong to the certificate'])
})

void t.test('checkKeyFiles: a certificate for other hosts warns', async (t) => {
  const directory = t.testdir({ 'shop.yaml': perimeter })
  const tls = { certificate: other.certificateFile, key: other.keyFile, ca: authority.caFile }
  const { messages } = await check(directory, settings(tls))
  t.match(messages, [/not for `orders.localhost`/])
})

void t.test('checkKeyFiles: a key where a certificate belongs is an error', async (t) => {
  const directory = t.testdir({ 'shop.yaml': perimeter })
  const tls = { certificate: one.keyFile, key: one.certificateFile, ca: one.keyFile }
  const { messages } = await check(directory, settings(tls))
  t.same(messages, [
    'the file holds no certificate in PEM form',
    'the file holds no certificate in PEM form',
    'the file holds no private key in PEM form without a passphrase',
  ])
})
