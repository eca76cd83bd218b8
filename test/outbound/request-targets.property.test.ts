import fc from 'fast-check'
import t from 'tap'
import { enforced, startProxy } from './proxy-fixture.ts'

/** Heads that are nearly right: whatever is done to them, nothing but what a rule allows is ever resolved or dialled. */

const heads = [
  'CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n',
  'GET http://api.example/a HTTP/1.1\r\nHost: api.example\r\n\r\n',
  'POST http://api.example:443/ HTTP/1.1\r\nHost: api.example:443\r\nContent-Length: 5\r\n\r\nhello',
  'POST http://api.example/ HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
]

const pieces = [
  '.',
  '..',
  '@',
  '%00',
  '\0',
  '\r',
  '\n',
  '\r\n',
  ' ',
  '\t',
  '/',
  '\\',
  '#',
  '?',
  ':',
  '::',
  '*',
  'evil.com',
  'evil.com:443@',
  '127.0.0.1',
  '[::1]',
  '169.254.169.254',
  '0x7f.1',
  '\xe9',
  '\xff',
  'http://',
  'https://',
  'Host: evil.com\r\n',
  'Content-Length: 3\r\n',
  'Connection: host\r\n',
  'Transfer-Encoding: chunked\r\n',
  ' HTTP/1.1',
  'CONNECT evil.com:443 HTTP/1.1\r\n\r\n',
]

const edit = fc.record({
  at: fc.nat({ max: 120 }),
  remove: fc.nat({ max: 6 }),
  insert: fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 4 })),
})

const head = fc
  .tuple(fc.constantFrom(...heads), fc.array(edit, { minLength: 1, maxLength: 4 }))
  .map(([start, edits]) =>
    edits.reduce(
      (text, { at, remove, insert }) => text.slice(0, at) + insert + text.slice(at + remove),
      start,
    ),
  )

void t.test('no edited head gets anything but the allowed name resolved and dialled', async (t) => {
  const parts = enforced(443, { egress: { ports: [80, 443], hosts: {}, privateAddresses: {} } })
  const proxy = await startProxy(t, parts, {
    resolve: async () => ({ kind: 'resolved', addresses: [] }),
    dial: () => async () => ({ kind: 'failed', reason: 'connect-refused' }),
  })
  await fc.assert(
    fc.asyncProperty(head, async (text) => {
      const client = await proxy.connect()
      client.send(text)
      client.end()
      await client.rest()
      client.destroy()
    }),
    { numRuns: 500 },
  )
  t.same([...new Set(proxy.resolved)], ['api.example'])
  t.same(proxy.dialled, [])
  t.ok(proxy.records.length > 0)
})
