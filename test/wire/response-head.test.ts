import t from 'tap'
import { clientHeaders, clientTrailers } from '../../src/wire/response-head.ts'

const ours = ['x-ringfence-correlation-id', 'id', 'x-ms-request-id', 'id']

const cases = [
  { note: 'nothing', status: 200, given: [], want: ours },
  {
    note: 'spelling, order and repetition stay',
    status: 200,
    given: ['ETag', '"1"', 'Set-Cookie', 'a', 'set-cookie', 'b'],
    want: ['ETag', '"1"', 'Set-Cookie', 'a', 'set-cookie', 'b', ...ours],
  },
  {
    note: 'hop-by-hop and named fields go',
    status: 200,
    given: [
      'Connection',
      'close, X-A',
      'X-A',
      '1',
      'Keep-Alive',
      'x',
      'Trailer',
      'x',
      'Upgrade',
      'h2c',
    ],
    want: ours,
  },
  {
    note: "the back end's request id stays, ours does not replace it",
    status: 200,
    given: ['x-ms-request-id', 'theirs'],
    want: ['x-ms-request-id', 'theirs', 'x-ringfence-correlation-id', 'id'],
  },
  {
    note: 'nobody else writes our own field',
    status: 200,
    given: ['X-Ringfence-Correlation-Id', 'forged'],
    want: ours,
  },
  { note: 'no length on 204', status: 204, given: ['Content-Length', '5'], want: ours },
  {
    note: 'the length of what 304 stands for stays',
    status: 304,
    given: ['Content-Length', '5'],
    want: ['Content-Length', '5', ...ours],
  },
  {
    note: 'chunks are framed anew, and no length beside them survives',
    status: 200,
    given: ['Transfer-Encoding', 'chunked', 'Content-Length', '5'],
    want: ours,
  },
  {
    note: 'another coding is refused',
    status: 200,
    given: ['Transfer-Encoding', 'gzip, chunked'],
    want: undefined,
  },
]

void t.test('clientHeaders passes on what is meant for the client', async (t) => {
  for (const { note, status, given, want } of cases) {
    t.strictSame(clientHeaders({ status, rawHeaders: given, correlationId: 'id' }), want, note)
  }
})

void t.test('clientTrailers leaves fields that say where a message goes or ends', (t) => {
  const given = [
    'Grpc-Status',
    '0',
    'Content-Length',
    '1',
    'HOST',
    'a',
    'Connection',
    'x',
    'x',
    'y',
    'z',
    '1',
  ]
  t.strictSame(clientTrailers(given), ['Grpc-Status', '0', 'z', '1'])
  t.end()
})
