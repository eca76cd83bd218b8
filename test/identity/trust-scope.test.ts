import t from 'tap'
import type { Statement } from '../../src/identity/proof.ts'
import { limitToScope, type TrustScope } from '../../src/identity/trust-scope.ts'
import { guid, guidFor, resourceId, testSubscription } from '../support/settings-parts.ts'

const ours = guid(testSubscription)
const theirs = guid('22222222-2222-2222-2222-222222222222')
const shop = guidFor('shop')
const billing = guidFor('billing')
const scope: TrustScope = { perimeters: [shop], subscriptions: [ours] }
const orders = resourceId('orders')
const foreign = resourceId('orders', theirs)

const cases: readonly {
  readonly note: string
  readonly said: Partial<Statement>
  readonly scope?: TrustScope
  /** Absent: worth nothing. */
  readonly want?: Statement
}[] = [
  {
    note: 'a resource in the scope brings its subscription',
    said: { resource: orders },
    want: { resource: orders, subscription: ours, perimeters: [] },
  },
  {
    note: 'a subscription in the scope',
    said: { subscription: ours, perimeters: [shop] },
    want: { resource: undefined, subscription: ours, perimeters: [shop] },
  },
  {
    note: 'a perimeter alone',
    said: { perimeters: [shop] },
    want: { resource: undefined, subscription: undefined, perimeters: [shop] },
  },
  {
    note: 'a perimeter outside the scope is void',
    said: { resource: orders, perimeters: [billing, shop] },
    want: { resource: orders, subscription: ours, perimeters: [shop] },
  },
  {
    note: 'nothing but a perimeter outside the scope',
    said: { perimeters: [billing] },
  },
  { note: 'nothing at all', said: {} },
  {
    note: 'another subscription',
    said: { subscription: theirs, perimeters: [shop] },
  },
  {
    note: 'a resource of another subscription',
    said: { resource: foreign, perimeters: [shop] },
  },
  {
    note: 'a resource of another subscription, hidden behind one of the scope',
    said: { resource: foreign, subscription: ours, perimeters: [shop] },
  },
  {
    note: 'two subscriptions, both in the scope, of which only one can be true',
    said: { resource: foreign, subscription: ours },
    scope: { perimeters: [], subscriptions: [ours, theirs] },
  },
  {
    note: 'an empty scope speaks for nobody',
    said: { resource: orders, subscription: ours, perimeters: [shop] },
    scope: { perimeters: [], subscriptions: [] },
  },
  {
    note: 'nor for a perimeter',
    said: { perimeters: [shop] },
    scope: { perimeters: [], subscriptions: [] },
  },
]

void t.test('limitToScope leaves of a statement what its speaker may say', async (t) => {
  for (const one of cases) {
    const said = {
      resource: undefined,
      subscription: undefined,
      perimeters: [],
      ...one.said,
    }
    t.strictSame(limitToScope(said, one.scope ?? scope), one.want, one.note)
  }
})
