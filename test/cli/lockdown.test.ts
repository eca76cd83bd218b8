import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { runLockdown } from '../../src/cli/commands/lockdown.ts'
import { canMakeNamespaces } from '../support/network-namespaces.ts'

const listener = (name: string, host: string, port: number, originalPort?: number): object => ({
  name,
  listen: { host, port },
  resource: 'orders',
  ...(originalPort === undefined ? {} : { transparent: { originalPort } }),
  ...(host === '::' || host === '0.0.0.0' || host === '10.0.0.1'
    ? { clients: ['10.0.0.0/8'] }
    : {}),
})

function settings(t: Test, outbound: readonly object[]): string {
  const folder = t.testdir({ 'shop.yaml': 'name: shop\n' })
  const file = join(folder, 'ringfence.yaml')
  const scope = { subscriptionId: '11111111-1111-1111-1111-111111111111', resourceGroup: 'shop' }
  const all = { scope, policy: { files: ['shop.yaml'] }, resources: [{ id: 'orders' }], outbound }
  writeFileSync(file, JSON.stringify(all))
  return file
}

interface Asked {
  readonly config: string
  readonly print?: boolean
  readonly uid?: string
  readonly workload?: readonly string[]
  readonly resolver?: readonly string[]
}

async function lockdown(asked: Asked): Promise<{ exitCode: number; text: string }> {
  let text = ''
  const write = (more: string): void => void (text += more)
  const exitCode = await runLockdown({
    print: true,
    uid: '10777',
    workload: ['1000'],
    resolver: [],
    ...asked,
    out: write,
    err: write,
  })
  return { exitCode, text }
}

const led = [
  listener('proxy', '127.0.0.1', 3128),
  listener('led-443', '127.0.0.1', 15443, 443),
  listener('led-443-v6', '::1', 15443, 443),
  listener('led-80', '0.0.0.0', 15080, 80),
  listener('led-8443', '::', 18443, 8443),
]

void t.test('lockdown prints rules that nft takes', async (t) => {
  const config = settings(t, led)
  const resolver = ['10.0.0.10', 'fd00::10']
  const { exitCode, text } = await lockdown({ config, resolver })
  t.equal(exitCode, 0)
  for (const line of [
    'meta skuid 10777 return',
    'meta nfproto ipv4 tcp dport 443 redirect to :15443',
    'meta nfproto ipv6 tcp dport 443 redirect to :15443',
    'meta nfproto ipv4 tcp dport 80 redirect to :15080',
    'meta nfproto ipv4 tcp dport 8443 redirect to :18443',
    'meta nfproto ipv6 tcp dport 8443 redirect to :18443',
    'type filter hook output priority 0; policy drop;',
    'type filter hook forward priority 0; policy drop;',
    'ip daddr 10.0.0.10 meta l4proto { tcp, udp } th dport 53 accept',
    'ip6 daddr fd00::10 meta l4proto { tcp, udp } th dport 53 accept',
  ]) {
    t.match(text, line)
  }
  t.notMatch(text, /ipv6 tcp dport 80 /)
  t.equal(text.match(/accept/g)?.length, 8, 'nothing else passes')
  // A connection that Ringfence has had is remembered for a while: nobody else may go on with it.
  const places = ['meta skuid 0-4294967294 drop', 'ct mark 0x52460000 accept'].map((line) =>
    text.indexOf(line),
  )
  t.ok((places[0] ?? -1) > 0 && (places[0] ?? 0) < (places[1] ?? 0))
  if (!canMakeNamespaces(t)) return
  for (const rules of [text, (await lockdown({ config })).text]) {
    const nft = spawnSync('unshare', ['--net', 'nft', '-c', '-f', '-'], { input: rules })
    t.equal(String(nft.stderr), '')
    t.equal(nft.status, 0)
  }
})

void t.test('lockdown without a name server lets nobody ask one', async (t) => {
  const { text } = await lockdown({ config: settings(t, led) })
  t.notMatch(text, 'dport 53')
})

void t.test('lockdown refuses what would hold nobody', async (t) => {
  const cases: readonly {
    note: string
    asked: Partial<Asked>
    outbound?: readonly object[]
    says: string
  }[] = [
    { note: 'root', asked: { uid: '0' }, says: 'the uid of Ringfence is 0' },
    {
      note: 'the account of a workload',
      asked: { workload: ['1000', '10777'] },
      says: "a workload's",
    },
    { note: 'written otherwise', asked: { workload: ['010777'] }, says: "a workload's" },
    { note: 'no number', asked: { uid: 'ringfence' }, says: 'is no uid' },
    { note: 'everyone', asked: { uid: '4294967295' }, says: 'is no uid' },
    { note: 'a name for a name server', asked: { resolver: ['dns.example'] }, says: 'name server' },
    { note: 'more than an address', asked: { resolver: ['10.0.0.0/8'] }, says: 'name server' },
    { note: 'without --print', asked: { print: false }, says: 'changes nothing' },
    {
      note: 'any port',
      asked: {},
      outbound: [listener('led', '127.0.0.1', 0, 443)],
      says: 'any port',
    },
    {
      note: 'an address that nothing is led to',
      asked: {},
      outbound: [listener('led', '10.0.0.1', 15443, 443)],
      says: '127.0.0.1 or ::1',
    },
    {
      note: 'two for one port',
      asked: {},
      outbound: [listener('a', '127.0.0.1', 1443, 443), listener('b', '127.0.0.1', 2443, 443)],
      says: 'both take ipv4 port 443',
    },
  ]
  for (const { note, asked, outbound = led, says } of cases) {
    const refused = lockdown({ config: settings(t, outbound), ...asked })
    await t.rejects(refused, { code: 'RF_USAGE', message: new RegExp(says) }, note)
  }
})

void t.test('lockdown says what is wrong with the settings', async (t) => {
  const { exitCode, text } = await lockdown({ config: join(t.testdir({}), 'none.yaml') })
  t.equal(exitCode, 1)
  t.match(text, 'none.yaml')
})
