import t from 'tap'
import type { Guid } from '../../src/perimeter/guid.ts'
import type { ResourceId } from '../../src/perimeter/resource-id.ts'
import type { Proof, Statement } from '../../src/identity/proof.ts'
import { readProofs } from '../../src/identity/read-proofs.ts'
import { guid, guidFor, resourceId, testSubscription } from '../support/settings-parts.ts'

const ours = guid(testSubscription)
const theirs = guid('22222222-2222-2222-2222-222222222222')
const shop = guidFor('shop')
const billing = guidFor('billing')
const orders = resourceId('orders')
const now = 1000

const speakers = new Map([
  ['ca', { perimeters: [shop, billing], subscriptions: [ours, theirs] }],
  ['issuer', { perimeters: [billing], subscriptions: [ours] }],
  ['entra', { perimeters: [], subscriptions: [ours], audiences: ['api://shop', 'api://all'] }],
])

/** `vault` is a member of a perimeter that only `ca` may speak for. */
const homeOf = ({ name }: ResourceId): Guid | undefined => (name === 'vault' ? shop : undefined)

function proof(speaker: string, said: Partial<Statement>, expiresAt = 2000): Proof {
  const nothing = {
    resource: undefined,
    subscription: undefined,
    perimeters: [],
  }
  return { speaker, statement: { ...nothing, ...said }, expiresAt }
}

const unproven = (note: string | undefined) => ({ kind: 'unproven', note })
const expired = 'proof that has expired'
const untrusted = 'proof of somebody who is not trusted'
const outside = 'proof of somebody who may not speak for the caller'
const forOthers = 'proof made for others'
const contradiction = {
  kind: 'bad-request',
  detail: 'two proofs that name different callers',
}

const cases: readonly {
  readonly note: string
  readonly proofs: readonly Proof[]
  /** Of the resource. */
  readonly audience?: string
  readonly want: object
}[] = [
  { note: 'no proof', proofs: [], want: unproven(undefined) },
  {
    note: 'one that counts',
    proofs: [proof('ca', { resource: orders, perimeters: [shop] })],
    want: {
      kind: 'proven',
      statement: { resource: orders, subscription: ours, perimeters: [shop] },
      expiresAt: 2000,
    },
  },
  {
    note: 'a speaker that settings do not name (any more)',
    proofs: [proof('gone', { resource: orders })],
    want: unproven(untrusted),
  },
  {
    note: 'in the millisecond of its end',
    proofs: [proof('ca', { resource: orders }, now)],
    want: unproven(expired),
  },
  {
    note: 'in the last before it',
    proofs: [proof('ca', { resource: orders }, now + 1)],
    want: { kind: 'proven', expiresAt: now + 1 },
  },
  {
    note: 'outside its scope',
    proofs: [proof('issuer', { subscription: theirs, perimeters: [billing] })],
    want: unproven(outside),
  },
  {
    note: 'two of the same caller say together what each may say',
    proofs: [
      proof('ca', { resource: orders, perimeters: [shop] }, 5000),
      proof('issuer', {
        resource: resourceId(orders.text.toUpperCase()),
        perimeters: [billing],
      }),
    ],
    want: {
      kind: 'proven',
      statement: {
        resource: orders,
        subscription: ours,
        perimeters: [shop, billing],
      },
      expiresAt: 2000,
    },
  },
  {
    note: 'one may say more than the other',
    proofs: [
      proof('ca', { perimeters: [billing] }),
      proof('issuer', { resource: orders, perimeters: [billing] }, 3000),
    ],
    want: {
      kind: 'proven',
      statement: {
        resource: orders,
        subscription: ours,
        perimeters: [billing],
      },
      expiresAt: 2000,
    },
  },
  {
    note: 'two resources',
    proofs: [proof('ca', { resource: orders }), proof('issuer', { resource: resourceId('other') })],
    want: contradiction,
  },
  {
    note: 'two subscriptions',
    proofs: [proof('ca', { subscription: theirs }), proof('issuer', { subscription: ours })],
    want: contradiction,
  },
  {
    note: 'a resource and the subscription of another',
    proofs: [proof('ca', { subscription: theirs }), proof('issuer', { resource: orders })],
    want: contradiction,
  },
  {
    note: 'of two, one counts: the other can contradict nothing',
    proofs: [
      proof('issuer', { subscription: theirs }),
      proof('ca', { resource: orders, perimeters: [] }),
    ],
    want: { kind: 'proven', statement: { resource: orders } },
  },
  {
    note: 'in whatever order they come',
    proofs: [
      proof('ca', { resource: orders, perimeters: [] }),
      proof('issuer', { subscription: theirs }),
    ],
    want: { kind: 'proven', statement: { resource: orders } },
  },
  {
    note: 'a member of a perimeter that its speaker may speak for',
    proofs: [proof('ca', { resource: resourceId('vault') })],
    want: { kind: 'proven', statement: { resource: resourceId('vault') } },
  },
  {
    note: 'a member of another perimeter, whatever perimeter it is said to be of',
    proofs: [proof('issuer', { resource: resourceId('vault'), perimeters: [billing] })],
    want: unproven(outside),
  },
  {
    note: 'of two that count for nothing, the first is told',
    proofs: [proof('gone', {}), proof('ca', { resource: orders }, 0)],
    want: unproven(untrusted),
  },
  {
    note: 'made for the one that is asked',
    proofs: [{ ...proof('entra', { resource: orders }), audiences: ['x', 'api://orders'] }],
    audience: 'api://orders',
    want: { kind: 'proven' },
  },
  {
    note: 'made for another resource',
    proofs: [{ ...proof('entra', { resource: orders }), audiences: ['api://invoices'] }],
    audience: 'api://orders',
    want: unproven(forOthers),
  },
  {
    note: 'made for everybody, which a resource with an audience of its own is not',
    proofs: [{ ...proof('entra', { resource: orders }), audiences: ['api://all'] }],
    audience: 'api://orders',
    want: unproven(forOthers),
  },
  {
    note: 'made for everybody without an audience of their own',
    proofs: [{ ...proof('entra', { resource: orders }), audiences: ['api://all'] }],
    want: { kind: 'proven' },
  },
  {
    note: 'made for a resource that has none, by somebody who means nobody by default',
    proofs: [{ ...proof('issuer', { resource: orders }), audiences: ['api://all'] }],
    want: unproven(forOthers),
  },
  {
    note: 'made for nobody',
    proofs: [{ ...proof('entra', { resource: orders }), audiences: [] }],
    want: unproven(forOthers),
  },
]

void t.test(
  'readProofs lets count what is in time, trusted, in scope and of one caller',
  async (t) => {
    for (const { note, proofs, audience, want } of cases)
      t.match(readProofs(proofs, { speakers, audience, now, homeOf }), want, note)
  },
)
