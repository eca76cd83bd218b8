import t from 'tap'
import { readTokenStatement } from '../../src/identity/token-statement.ts'
import { guidFor, resourceId, testSubscription } from '../support/settings-parts.ts'

const orders = resourceId('orders').text
const vm = `/subscriptions/${testSubscription}/resourcegroups/shop/providers/Microsoft.Compute/virtualMachines/one`
const shop = guidFor('shop')
const billing = guidFor('billing')

const nothing = (note: string) => ({ kind: 'nothing', note })

const cases: readonly {
  readonly note: string
  readonly claims: Readonly<Record<string, unknown>>
  readonly want: object
}[] = [
  {
    note: 'a managed identity',
    claims: {
      xms_mirid: orders,
      xms_az_nwperimid: [shop.toUpperCase(), billing],
      idtyp: 'app',
      aud: 'a',
    },
    want: {
      kind: 'statement',
      statement: {
        resource: resourceId('orders'),
        subscription: testSubscription,
        perimeters: [shop, billing],
      },
      audiences: ['a'],
    },
  },
  {
    note: 'of no perimeter, as Azure writes it, with several audiences',
    claims: { xms_mirid: vm, xms_az_nwperimid: [], aud: ['a', 'b'] },
    want: { statement: { subscription: testSubscription, perimeters: [] }, audiences: ['a', 'b'] },
  },
  {
    note: 'one perimeter without a list',
    claims: { xms_mirid: orders, xms_az_nwperimid: shop, aud: 'a' },
    want: { statement: { perimeters: [shop] } },
  },
  {
    note: 'no word of a perimeter',
    claims: { xms_mirid: orders, aud: 'a' },
    want: { statement: { perimeters: [] } },
  },
  {
    note: 'a user, whatever else it says',
    claims: { xms_mirid: orders, idtyp: 'user', aud: 'a' },
    want: nothing('token of a user'),
  },
  {
    note: 'a type that nobody knows',
    claims: { xms_mirid: orders, idtyp: ['app'], aud: 'a' },
    want: nothing('token of a user'),
  },
  {
    note: 'no managed identity, though it names a perimeter',
    claims: { xms_az_nwperimid: [shop], aud: 'a', scp: 'read' },
    want: nothing('token of no managed identity'),
  },
  {
    note: 'a resource id that is none',
    claims: { xms_mirid: '/subscriptions/x', aud: 'a' },
    want: nothing('token with a resource id that cannot be read'),
  },
  {
    note: 'two resource ids',
    claims: { xms_mirid: [orders, vm], aud: 'a' },
    want: nothing('token with a resource id that cannot be read'),
  },
  {
    note: 'an empty resource id',
    claims: { xms_mirid: '', aud: 'a' },
    want: nothing('token with a resource id that cannot be read'),
  },
  {
    note: 'a resource id that is null',
    claims: { xms_mirid: null, aud: 'a' },
    want: nothing('token with a resource id that cannot be read'),
  },
  {
    note: 'a perimeter that is no GUID, beside one that is',
    claims: { xms_mirid: orders, xms_az_nwperimid: [shop, 'shop'], aud: 'a' },
    want: nothing('token with perimeters that cannot be read'),
  },
  {
    note: 'perimeters of no text',
    claims: { xms_mirid: orders, xms_az_nwperimid: [1], aud: 'a' },
    want: nothing('token with perimeters that cannot be read'),
  },
  {
    note: 'perimeters in an object',
    claims: { xms_mirid: orders, xms_az_nwperimid: { 0: shop }, aud: 'a' },
    want: nothing('token with perimeters that cannot be read'),
  },
  {
    note: 'very many perimeters',
    claims: { xms_mirid: orders, xms_az_nwperimid: Array(65).fill(shop), aud: 'a' },
    want: nothing('token with perimeters that cannot be read'),
  },
  {
    note: 'no audience',
    claims: { xms_mirid: orders },
    want: nothing('token with an audience that cannot be read'),
  },
  {
    note: 'an audience of no text',
    claims: { xms_mirid: orders, aud: ['a', 1] },
    want: nothing('token with an audience that cannot be read'),
  },
  {
    note: 'very many audiences',
    claims: { xms_mirid: orders, aud: Array(17).fill('a') },
    want: nothing('token with an audience that cannot be read'),
  },
]

void t.test(
  'readTokenStatement takes what a managed identity says, and nothing of others',
  async (t) => {
    for (const { note, claims, want } of cases) t.match(readTokenStatement(claims), want, note)
  },
)
