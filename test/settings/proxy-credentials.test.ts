import t from 'tap'
import { parseProxyCredentials } from '../../src/settings/proxy-credentials.ts'

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`

const cases = [
  { given: 'user:password', want: basic('user:password') },
  { given: 'user:password\n', want: basic('user:password') },
  { given: 'user:password\r\n', want: basic('user:password') },
  { given: 'user:pass:word ', want: basic('user:pass:word ') },
  { given: 'us\u00e9r:', want: basic('us\u00e9r:') },
  { given: '', want: undefined },
  { given: 'user', want: undefined },
  { given: ':password', want: undefined },
  { given: 'user:password\n\n', want: undefined },
  { given: 'user:pass\r\nX: y', want: undefined },
  { given: 'us\u0000er:password', want: undefined },
  { given: 'user:pass\u0085word', want: undefined },
]

void t.test('parseProxyCredentials: one line, user and password', (t) => {
  for (const { given, want } of cases) {
    t.equal(parseProxyCredentials(given), want, JSON.stringify(given))
  }
  t.end()
})
