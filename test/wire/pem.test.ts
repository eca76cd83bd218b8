import t from 'tap'
import { pemBlocks } from '../../src/wire/pem.ts'

const block = (label: string, content: string): string =>
  `-----BEGIN ${label}-----\n${content}\n-----END ${label}-----\n`

void t.test('pemBlocks: each block with the label, whatever stands between', async (t) => {
  const long = Buffer.alloc(100, 1).toString('base64')
  const text = `a comment\n${block('CERTIFICATE', 'AQID')}${block('PRIVATE KEY', 'BAUG')}\r\n${block('CERTIFICATE', long)}`
  const found = pemBlocks(text, 'CERTIFICATE')
  t.strictSame(
    found.map(({ der }) => der),
    [Buffer.from([1, 2, 3]), Buffer.alloc(100, 1)],
  )
  t.strictSame(
    found.map(({ pem }) => pem),
    [
      block('CERTIFICATE', 'AQID'),
      block('CERTIFICATE', `${long.slice(0, 64)}\n${long.slice(64, 128)}\n${long.slice(128)}`),
    ],
  )
})

void t.test('pemBlocks: equal contents are equal texts', async (t) => {
  const [one] = pemBlocks(block('X509 CRL', 'AQID'), 'X509 CRL')
  const [other] = pemBlocks(block('X509 CRL', 'AQ\r\nID'), 'X509 CRL')
  t.equal(one?.pem, other?.pem)
})

void t.test('pemBlocks: what is no block is none', async (t) => {
  for (const text of [
    '',
    'AQID',
    block('TRUSTED CERTIFICATE', 'AQID'),
    block('CERTIFICATE', 'A-Q'),
    '-----BEGIN CERTIFICATE-----\nAQID\n-----END X509 CRL-----\n',
  ]) {
    t.strictSame(pemBlocks(text, 'CERTIFICATE'), [], text)
  }
})
