import t from 'tap'
import {
  bindsConnection,
  hasBindingChallenge,
  hasBindingCredentials,
  mayLeaveContent,
} from '../../src/wire/connection-sharing.ts'
import { methods } from '../../src/wire/methods.ts'

void t.test(
  'bindsConnection knows schemes by their beginning, wherever a list has them',
  async (t) => {
    const binding = [
      'NTLM',
      'ntlm TlRM',
      'Negotiate',
      'NegotiateEx a',
      'Nego2 a',
      'Kerberos a',
      'Basic realm="a", NTLM',
      'Basic realm="a" ,\tnegotiate',
      ' NTLM',
      ',NTLM',
    ]
    for (const value of binding) t.ok(bindsConnection(value), value)
    const free = ['', 'Basic realm="ntlm"', 'Bearer NTLM', 'Digest a=b', 'XNTLM', 'Basic NTLM']
    for (const value of free) t.notOk(bindsConnection(value), value)
  },
)

void t.test('hasBindingCredentials and hasBindingChallenge look at every line', async (t) => {
  for (const name of ['Authorization', 'proxy-authorization']) {
    t.ok(hasBindingCredentials(['a', 'b', name, 'Basic a', name, 'NTLM a']), name)
    t.notOk(hasBindingChallenge([name, 'NTLM a']), name)
  }
  for (const name of ['WWW-Authenticate', 'proxy-authenticate']) {
    t.ok(hasBindingChallenge(['a', 'b', name, 'Basic a', name, 'NTLM']), name)
    t.notOk(hasBindingCredentials([name, 'NTLM']), name)
  }
  t.notOk(hasBindingCredentials([]))
})

void t.test('mayLeaveContent: of all methods but those whose content says something', async (t) => {
  t.same(
    methods.filter((method) => !mayLeaveContent(method)),
    [
      'ACL',
      'LOCK',
      'MERGE',
      'MKCALENDAR',
      'MKCOL',
      'NOTIFY',
      'PATCH',
      'POST',
      'PROPFIND',
      'PROPPATCH',
      'PUT',
      'QUERY',
      'REPORT',
      'SEARCH',
    ],
  )
})
