import t from 'tap'
import { createAuthority } from '../support/certificates.ts'
import {
  connectFrames,
  type FieldList,
  headersFrame,
  requestFields,
} from '../support/http2-frames.ts'
import { openShop, startInbound } from '../support/inbound-world.ts'
import { startOrigin } from '../support/origin.ts'

/**
 * Node's library takes out fields that are none, in silence. A client whose own writing spoils the field that a trusted
 * proxy appends its address to must not be taken for that proxy, which a rule may well let in.
 */

const authority = createAuthority()
t.teardown(() => authority.remove())
const shown = authority.issue('orders.test')
const tls = { certificateFile: shown.certificateFile, keyFile: shown.keyFile }
const asOrders = { ca: authority.ca, servername: 'orders.test' }

const padded = 'a field value that is none'
const missing = 'no client in the forwarded header'

interface Case {
  readonly note: string
  readonly header?: 'forwarded'
  readonly fields: FieldList
  /** Reason, and address or detail. */
  readonly want: readonly [string, string]
}

const xff = 'x-forwarded-for'

const cases: readonly Case[] = [
  {
    note: 'a stranger',
    fields: [[xff, '203.0.113.66']],
    want: ['no-matching-rule', '203.0.113.66'],
  },
  { note: 'an allowed one', fields: [[xff, '192.0.2.1']], want: ['access-rule', '192.0.2.1'] },
  { note: 'padded in front', fields: [[xff, ' 203.0.113.66']], want: ['bad-request', padded] },
  { note: 'padded behind', fields: [[xff, '203.0.113.66\t']], want: ['bad-request', padded] },
  { note: 'a control', fields: [[xff, '\x01, 203.0.113.66']], want: ['bad-request', missing] },
  { note: 'DEL', fields: [[xff, '\x7f, 203.0.113.66']], want: ['bad-request', missing] },
  { note: 'a line break', fields: [[xff, 'a\r\n, 203.0.113.66']], want: ['bad-request', missing] },
  { note: 'NUL', fields: [[xff, '\0, 203.0.113.66']], want: ['bad-request', missing] },
  { note: 'no such field', fields: [], want: ['bad-request', missing] },
  {
    note: 'behind it the line of the next proxy, which is trusted, too',
    fields: [
      [xff, '\x01, 203.0.113.66'],
      [xff, '127.0.0.9'],
    ],
    want: ['bad-request', missing],
  },
  {
    note: 'in front of it a line that the client wrote',
    fields: [
      [xff, '192.0.2.1'],
      [xff, '\x01'],
      [xff, '203.0.113.66, 127.0.0.9'],
    ],
    want: ['no-matching-rule', '203.0.113.66'],
  },
  {
    note: 'Forwarded, a control',
    header: 'forwarded',
    fields: [['forwarded', 'for="\x01", for=203.0.113.66']],
    want: ['bad-request', missing],
  },
  {
    note: 'Forwarded, padded',
    header: 'forwarded',
    fields: [['forwarded', ' for=203.0.113.66']],
    want: ['bad-request', padded],
  },
]

void t.test('over HTTP/2 a trusted proxy is never taken for its client', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  for (const { note, header, fields, want } of cases) {
    const trusting = { name: 'public', tls, trustedProxies: ['127.0.0.0/8'] }
    const world = await startInbound(
      t,
      {
        ...openShop(origin.url),
        inbound: [header === undefined ? trusting : { ...trusting, forwardedHeader: header }],
        perimeters: [
          {
            name: 'shop',
            profiles: [
              {
                name: 'web',
                accessRules: [{ name: 'office', addressPrefixes: ['127.0.0.0/8', '192.0.2.1/32'] }],
              },
            ],
            associations: [{ resource: 'orders' }],
          },
        ],
      },
      { pem: shown },
    )
    const client = await connectFrames({ ...world, ...asOrders })
    client.send(headersFrame(1, requestFields('/', fields)))
    const { decision, source, detail } = await world.record(() => true)
    const [reason, said] = want
    t.equal(decision.reason, reason, note)
    t.equal(reason === 'bad-request' ? detail : source?.ipAddress, said, note)
    client.destroy()
  }
})
