import t from 'tap'
import { personalData } from '../../src/perimeter/personal-data.ts'
import { sharedSuffix } from '../../src/perimeter/shared-suffix.ts'

const personal = [
  'jane@corp.example',
  'jane.doe-at-corp.example',
  'jane_at_corp.example',
  'jane.doe.gmail.com',
  '0049.170.1234567',
  'id-123456789',
]
const plain = [
  'office',
  'look-at-me',
  'v1.2.3',
  'site-203.0.113.255',
  'block-203-0-113-255',
  'orders-7d0c2c1e-5a0f-4e0f-9a43-0d3a5a3f7b11',
  '2026-11-24',
  'build-20261124',
  'sha-0123456789abcdef0123456789abcdef',
  '',
]

for (const text of personal) {
  void t.test(`personalData suspects ${text}`, (t) => {
    t.match(personalData(text), /^looks like a /)
    t.end()
  })
}

for (const text of plain) {
  void t.test(`personalData does not suspect \`${text}\``, (t) => {
    t.equal(personalData(text), undefined)
    t.end()
  })
}

const suffixes = [
  { pattern: '*.co.uk', want: 'co.uk' },
  { pattern: '*.blob.core.windows.net', want: 'blob.core.windows.net' },
  { pattern: '*.s3.eu-west-1.amazonaws.com', want: 's3.eu-west-1.amazonaws.com' },
  { pattern: '*.orders.blob.core.windows.net', want: undefined },
  { pattern: 'orders.blob.core.windows.net', want: undefined },
  { pattern: 'co.uk', want: undefined },
  { pattern: '*.shop.example', want: undefined },
]

for (const { pattern, want } of suffixes) {
  void t.test(`sharedSuffix(${pattern})`, (t) => {
    t.equal(sharedSuffix(pattern), want)
    t.end()
  })
}
