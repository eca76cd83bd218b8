import t from 'tap'
import { hexValue, isTargetByte, isTextByte, isTokenByte, latin1 } from '../../src/wire/octets.ts'

/** All bytes for which the table holds, as text. */
function members(table: Uint8Array): string {
  t.equal(table.length, 256)
  return Array.from(table, (holds, byte) => (holds === 1 ? String.fromCharCode(byte) : '')).join('')
}

function range(from: number, to: number): string {
  return Array.from({ length: to - from + 1 }, (_, index) =>
    String.fromCharCode(from + index),
  ).join('')
}

void t.test('isTokenByte holds exactly tchar of RFC 9110 5.6.2', async (t) => {
  const signs = "!#$%&'*+-.^_`|~"
  const want = signs + range(0x30, 0x39) + range(0x41, 0x5a) + range(0x61, 0x7a)
  t.equal(members(isTokenByte), want.split('').toSorted().join(''))
})

void t.test('isTextByte holds field-vchar, space and tab, and no other control', async (t) => {
  t.equal(members(isTextByte), `\t${range(0x20, 0x7e)}${range(0x80, 0xff)}`)
})

void t.test('isTargetByte holds what is neither a control nor a space', async (t) => {
  t.equal(members(isTargetByte), range(0x21, 0x7e) + range(0x80, 0xff))
})

void t.test(
  'hexValue is what parseInt says of one digit, and -1 for everything else',
  async (t) => {
    for (let byte = 0; byte < 256; byte++) {
      const value = Number.parseInt(String.fromCharCode(byte), 16)
      t.equal(hexValue(byte), Number.isNaN(value) ? -1 : value, `byte ${byte}`)
    }
  },
)

void t.test('latin1 makes a character of each byte', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  t.equal(latin1(bytes, 0, 256), range(0, 255))
  t.equal(latin1(bytes, 65, 68), 'ABC')
})
