import t from 'tap'
import { hasDamage, pemBlocks } from '../../src/wire/pem.ts'

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

void t.test('hasDamage: what was to be a block and is none', async (t) => {
  const list = block('X509 CRL', 'AQID')
  for (const text of ['', 'a comment - with a dash\n', list, `a comment\n${list}${list}`]) {
    t.equal(hasDamage(text), false, text)
  }
  for (const text of [
    `${list}${block('X509 CRL', 'A*ID')}`,
    `${list}-----BEGIN X509 CRL-----\nAQID\n`,
    `${list}-----BEGIN X509 CRL-----\nAQID\n-----END X509 CR`,
    `${list}-----BEG`,
    `${list}--`,
    `${list}AQID\n-----END X509 CRL-----\n`,
    `${list}${block('CERTIFICATE', 'A*ID')}`,
    '-----BEGIN CERTIFICATE-----\nAQID\n-----END X509 CRL-----\n',
  ]) {
    t.equal(hasDamage(text), true, text)
  }
})
