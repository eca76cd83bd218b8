import t from 'tap'
import { readBasicCredentials } from '../../src/identity/basic-credentials.ts'

function basic(text: string): string {
  return `Basic ${Buffer.from(text, 'latin1').toString('base64')}`
}

void t.test('readBasicCredentials reads user and secret', (t) => {
  const cases = [
    { note: 'plain', value: basic('orders:open sesame'), user: 'orders', secret: 'open sesame' },
    { note: 'a colon in the secret', value: basic('orders:a:b'), user: 'orders', secret: 'a:b' },
    { note: 'an empty secret', value: basic('orders:'), user: 'orders', secret: '' },
    {
      note: 'small letters',
      value: basic('orders:x').toLowerCase().slice(0, 5) + basic('orders:x').slice(5),
      user: 'orders',
      secret: 'x',
    },
    {
      note: 'several spaces',
      value: basic('orders:x').replace(' ', '   '),
      user: 'orders',
      secret: 'x',
    },
    {
      note: 'without padding',
      value: basic('orders:x').replace(/=+$/, ''),
      user: 'orders',
      secret: 'x',
    },
    {
      note: 'bytes beyond ASCII in the secret',
      value: basic('orders:\xff\x00'),
      user: 'orders',
      secret: '\xff\x00',
    },
  ]
  for (const { note, value, user, secret } of cases) {
    const read = readBasicCredentials(value)
    t.equal(read?.user, user, note)
    t.equal(read?.secret.toString('latin1'), secret, note)
  }
  t.end()
})

void t.test('readBasicCredentials reads nothing else', (t) => {
  const cases = [
    { note: 'nothing', value: '' },
    { note: 'the scheme alone', value: 'Basic ' },
    { note: 'another scheme', value: 'Bearer b3JkZXJzOng=' },
    { note: 'no space', value: 'Basicb3JkZXJzOng=' },
    { note: 'two values', value: `${basic('a:b')}, ${basic('c:d')}` },
    { note: 'parameters', value: `${basic('a:b')} charset=UTF-8` },
    { note: 'base64url', value: 'Basic Pz8_Oj8_Pw==' },
    { note: 'padding in the middle', value: 'Basic YTpi=YTpi' },
    { note: 'bits that mean nothing', value: 'Basic YTpiYR==' },
    { note: 'no colon', value: basic('orders') },
    { note: 'no user', value: basic(':secret') },
    { note: 'a space in the user', value: basic('or ders:x') },
    { note: 'a control in the user', value: basic('orders\n:x') },
    { note: 'a byte beyond ASCII in the user', value: basic('\xffrders:x') },
    { note: 'a document', value: basic(`orders:${'x'.repeat(1024)}`) },
  ]
  for (const { note, value } of cases) t.equal(readBasicCredentials(value), undefined, note)
  t.end()
})
