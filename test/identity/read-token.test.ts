import t from 'tap'
import { readToken } from '../../src/identity/read-token.ts'

const several = { kind: 'ambiguous', detail: 'several token headers' }
const own = 'x-member-token'

const cases: readonly {
  readonly note: string
  readonly raw: readonly string[]
  readonly header?: string
  readonly want: unknown
}[] = [
  { note: 'none', raw: ['Host', 'a'], want: undefined },
  { note: 'a token', raw: ['Authorization', 'Bearer a.b.c'], want: 'a.b.c' },
  { note: 'a scheme in any case', raw: ['authorization', 'bEARER   a.b.c'], want: 'a.b.c' },
  { note: 'no token behind it', raw: ['Authorization', 'Bearer'], want: '' },
  {
    note: 'two in one',
    raw: ['Authorization', 'Bearer a.b.c, Bearer d.e.f'],
    want: 'a.b.c, Bearer d.e.f',
  },
  { note: 'Basic is no token', raw: ['Authorization', 'Basic YTpi'], want: undefined },
  {
    note: 'SharedKey is no token',
    raw: ['Authorization', 'SharedKey orders:abc'],
    want: undefined,
  },
  {
    note: 'a scheme that only begins so',
    raw: ['Authorization', 'BearerX a.b.c'],
    want: undefined,
  },
  { note: 'no scheme', raw: ['Authorization', 'a.b.c'], want: undefined },
  { note: 'nothing in it', raw: ['Authorization', ''], want: undefined },
  {
    note: 'two headers',
    raw: ['Authorization', 'Bearer a.b.c', 'AUTHORIZATION', 'Bearer a.b.c'],
    want: several,
  },
  {
    note: 'two headers of which one is no token',
    raw: ['Authorization', 'Basic YTpi', 'Authorization', 'Bearer a.b.c'],
    want: several,
  },
  {
    note: 'two headers of which one is empty',
    raw: ['Authorization', '', 'Authorization', 'Bearer a.b.c'],
    want: several,
  },
  {
    note: 'another header than the one for tokens',
    raw: ['Authorization', 'Bearer a.b.c'],
    header: own,
    want: undefined,
  },
  { note: 'a header of our own', raw: ['X-Member-Token', 'a.b.c'], header: own, want: 'a.b.c' },
  {
    note: 'the scheme in a header of our own',
    raw: ['x-member-token', 'Bearer a.b.c'],
    header: own,
    want: 'a.b.c',
  },
  {
    note: 'another spelling of our own is no token',
    raw: ['X_Member_Token', 'a.b.c'],
    header: own,
    want: undefined,
  },
  {
    note: 'our own beside another spelling of it',
    raw: ['X_Member.Token', 'd.e.f', 'X-Member-Token', 'a.b.c'],
    header: own,
    want: several,
  },
  {
    note: 'in whatever order',
    raw: ['X-Member-Token', 'a.b.c', 'x_member-token', ''],
    header: own,
    want: several,
  },
  {
    note: 'our own beside Authorization, which is the resource’s',
    raw: ['Authorization', 'Bearer d.e.f', 'x-member-token', 'a.b.c'],
    header: own,
    want: 'a.b.c',
  },
]

void t.test('readToken finds the one token, or says that there are several', async (t) => {
  for (const { note, raw, header = 'authorization', want } of cases) {
    t.strictSame(readToken(raw, header), want, note)
  }
})
