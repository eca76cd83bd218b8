import t from 'tap'
import { DerReader, derTag, readDerTime } from '../../src/wire/der.ts'

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')

void t.test('DerReader takes values one after the other', async (t) => {
  const reader = new DerReader(bytes('02 01 05  30 02 05 00  04 00'))
  t.equal(reader.takeIf(derTag.sequence), undefined, 'another one stays the next')
  t.equal(reader.take(derTag.integer)?.content.toString('hex'), '05')
  t.equal(reader.takeIf(derTag.octetString, derTag.sequence)?.whole.toString('hex'), '30020500')
  t.equal(reader.isAtEnd, false)
  t.equal(reader.take(derTag.octetString)?.content.length, 0)
  t.equal(reader.isAtEnd, true)
  t.equal(reader.takeIf(derTag.octetString), undefined)
  t.equal(reader.isAtEnd, true)
})

void t.test('DerReader reads lengths of several bytes', async (t) => {
  for (const [head, length] of [
    ['04 81 80', 0x80],
    ['04 82 01 00', 0x100],
    ['04 83 01 00 00', 0x10000],
  ] as const) {
    const reader = new DerReader(Buffer.concat([bytes(head), Buffer.alloc(length)]))
    t.equal(reader.take(derTag.octetString)?.content.length, length, head)
    t.equal(reader.isAtEnd, true)
  }
})

void t.test('DerReader answers nothing more once something is wrong', async (t) => {
  const cases: readonly { readonly note: string; readonly hex: string }[] = [
    { note: 'nothing', hex: '' },
    { note: 'a tag alone', hex: '04' },
    { note: 'another tag', hex: '02 01 00' },
    { note: 'content that is not there', hex: '04 02 00' },
    { note: 'a length that is not there', hex: '04 82 01' },
    { note: 'a length without an end', hex: '04 80 00 00' },
    { note: 'a length that would be shorter in one byte', hex: '04 81 01 00' },
    { note: 'a length with a zero in front', hex: `04 82 00 80 ${'00'.repeat(128)}` },
    { note: 'a length beyond reason', hex: '04 85 00 00 00 00 01 00' },
  ]
  for (const { note, hex } of cases) {
    const reader = new DerReader(bytes(`${hex}`))
    t.equal(reader.take(derTag.octetString), undefined, note)
    t.equal(reader.take(derTag.integer), undefined, note)
    t.equal(reader.takeIf(derTag.integer), undefined, note)
    t.equal(reader.isAtEnd, false, note)
  }
})

void t.test('readDerTime reads times in UTC, to the second', async (t) => {
  const cases: readonly { readonly tag: number; readonly text: string; readonly want: string }[] = [
    { tag: derTag.utcTime, text: '261124155908Z', want: '2026-11-24T15:59:08.000Z' },
    { tag: derTag.utcTime, text: '491231235959Z', want: '2049-12-31T23:59:59.000Z' },
    { tag: derTag.utcTime, text: '500101000000Z', want: '1950-01-01T00:00:00.000Z' },
    { tag: derTag.generalizedTime, text: '20500229000000Z', want: '' },
    { tag: derTag.generalizedTime, text: '20520229000000Z', want: '2052-02-29T00:00:00.000Z' },
    { tag: derTag.generalizedTime, text: '20261301000000Z', want: '' },
    { tag: derTag.generalizedTime, text: '20261100000000Z', want: '' },
    { tag: derTag.generalizedTime, text: '20261124240000Z', want: '' },
    { tag: derTag.generalizedTime, text: '20261124006000Z', want: '' },
    { tag: derTag.generalizedTime, text: '20261124000060Z', want: '' },
    { tag: derTag.generalizedTime, text: '20261124155908.5Z', want: '' },
    { tag: derTag.utcTime, text: '261124155908+0100', want: '' },
    { tag: derTag.utcTime, text: '2611241559Z', want: '' },
    { tag: derTag.utcTime, text: '20261124155908Z', want: '' },
  ]
  for (const { tag, text, want } of cases) {
    const content = Buffer.from(text)
    const time = readDerTime({ tag, content, whole: content })
    t.equal(time === undefined ? '' : new Date(time).toISOString(), want, text)
  }
})
