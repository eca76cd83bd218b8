import t from 'tap'
import { createFollowingResolver, followSwap } from '../../src/compose/follow.ts'
import { holdInForce } from '../support/in-force.ts'
import { hostname } from '../support/settings-parts.ts'

const base = { egress: { hosts: { 'a.test': ['192.0.2.1'] } } }

void t.test(
  'createFollowingResolver keeps its answers until settings that concern it change',
  async (t) => {
    const held = holdInForce(base)
    const resolver = createFollowingResolver(held.current)
    const first = resolver()
    t.equal(resolver(), first)
    held.swap({ ...base, inbound: [{ name: 'public' }] })
    t.equal(resolver(), first, 'a swap that does not concern it')
    held.swap({ ...base, timeouts: { dnsMs: 1 } })
    t.not(resolver(), first, 'the time-out')
    held.swap({ egress: { hosts: { 'a.test': ['192.0.2.2'] } } })
    t.match(await resolver().resolve(hostname('a.test')), {
      kind: 'resolved',
      addresses: [{ text: '192.0.2.2' }],
    })
  },
)

void t.test('createFollowingResolver resolves nothing without a policy', async (t) => {
  const held = holdInForce(base)
  held.clear()
  t.match(await createFollowingResolver(held.current)().resolve(hostname('a.test')), {
    kind: 'failed',
  })
})

void t.test(
  'followSwap tells pools, judges again and shows only certificates that changed',
  async (t) => {
    const told: string[] = []
    const pem = { cert: 'c', key: 'k' }
    const judged = Promise.withResolvers<void>()
    const followed = followSwap(
      {
        openConnections: {
          size: 0,
          register: () => true,
          unregister: () => undefined,
          judgeAgain(version) {
            told.push(`judge ${version}`)
            return judged.promise
          },
        },
        outbound: [{ policyChanged: () => told.push('pool') }],
        inbound: ['same', 'renewed', 'plain'].map((name) => ({
          name,
          setSecureContext: () => told.push(name),
        })),
      },
      {
        version: 'v2',
        before: new Map([
          ['same', pem],
          ['renewed', pem],
        ]),
        after: new Map([
          ['same', { ...pem }],
          ['renewed', { ...pem, cert: 'new' }],
        ]),
      },
    )
    t.strictSame(told, ['pool', 'judge v2', 'renewed'])
    judged.resolve()
    await followed
  },
)
