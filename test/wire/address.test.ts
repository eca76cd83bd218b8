import t from 'tap'
import { isPrefix, parseAddress, parsePrefix, prefixCovers } from '../../src/wire/address.ts'

void t.test('parseAddress makes one canonical form, and IPv4 of mapped IPv6', async (t) => {
  for (const [text, want, bytes] of [
    ['192.0.2.1', '192.0.2.1', 4],
    ['0.0.0.0', '0.0.0.0', 4],
    ['255.255.255.255', '255.255.255.255', 4],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1', 16],
    ['::', '::', 16],
    ['::1', '::1', 16],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3', 16],
    ['0:0:1:0:0:2:0:0', '::1:0:0:2:0:0', 16],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7', 16],
    ['::ffff:192.0.2.1', '192.0.2.1', 4],
    ['::FFFF:7f00:1', '127.0.0.1', 4],
    ['0:0:0:0:0:ffff:7f00:0001', '127.0.0.1', 4],
    ['::192.0.2.1', '::c000:201', 16],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201', 16],
    ['::ffff:0:192.0.2.1', '::ffff:0:c000:201', 16],
    ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4:5:6:c000:201', 16],
  ] as const) {
    const address = parseAddress(text)
    t.equal(address?.text, want, text)
    t.equal(address?.bytes.length, bytes, text)
  }
})

void t.test('parseAddress refuses every other spelling', async (t) => {
  for (const text of [
    ['', '1', '127.1', '0177.0.0.1', '0x7f.0.0.1', '2130706433', '192.0.2.01', '192.0.2.256'],
    ['192.0.2', '192.0.2.1.', '192.0.2.1.1', ' 192.0.2.1', '192.0.2.1 ', '192.0.2.1\n'],
    ['[::1]', '::1%lo', '::1%', ':::', '1::2::3', '12345::', '::g', '::1/128', '192.0.2.1/32'],
    ['1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '::ffff:192.0.2.256', '::ffff:0x7f.1', '\u0661.2.3.4'],
  ].flat()) {
    t.equal(parseAddress(text), undefined, JSON.stringify(text))
  }
})

void t.test('parsePrefix', async (t) => {
  for (const [text, want] of [
    ['192.0.2.0/24', '192.0.2.0/24'],
    ['192.0.2.1', '192.0.2.1/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['::/0', '::/0'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['2001:db8::1', '2001:db8::1/128'],
    ['192.0.2.129/25', 'host bits 192.0.2.128/25'],
    ['10.1.2.3/0', 'host bits 0.0.0.0/0'],
    ['2001:db8::1/127', 'host bits 2001:db8::/127'],
    ['::ffff:10.0.0.0/104', 'mapped 10.0.0.0/8'],
    ['::ffff:10.0.0.1', 'mapped 10.0.0.1/32'],
    ['::ffff:0:0/96', 'mapped 0.0.0.0/0'],
    ['::ffff:10.1.2.3/104', 'mapped 10.0.0.0/8'],
    ['::ffff:0:0/95', 'mapped -'],
    ['10/8', 'no'],
    ['10.0.0.0/', 'no'],
    ['10.0.0.0/08', 'no'],
    ['10.0.0.0/33', 'no'],
    ['::/129', 'no'],
    ['10.0.0.0/-1', 'no'],
    ['10.0.0.0/8/8', 'no'],
    ['10.0.0.0/255.0.0.0', 'no'],
    ['fe80::1%eth0/64', 'no'],
    ['/8', 'no'],
    ['', 'no'],
    ['example.com/8', 'no'],
  ] as const) {
    const result = parsePrefix(text)
    t.equal(isPrefix(result) ? result.text : describe(result), want, text)
  }
})

function describe(problem: Exclude<ReturnType<typeof parsePrefix>, { length: number }>): string {
  switch (problem.kind) {
    case 'host-bits':
      return `host bits ${problem.network}`
    case 'mapped':
      return `mapped ${problem.ipv4 ?? '-'}`
    case 'not-a-prefix':
      return 'no'
  }
}

void t.test('prefixCovers', async (t) => {
  for (const [prefixText, inside, outside] of [
    [
      '192.0.2.0/24',
      ['192.0.2.0', '192.0.2.255', '::ffff:192.0.2.7'],
      ['192.0.3.0', '192.0.1.255'],
    ],
    ['192.0.2.128/25', ['192.0.2.128', '192.0.2.255'], ['192.0.2.127']],
    ['192.0.2.1/32', ['192.0.2.1'], ['192.0.2.0', '192.0.2.2']],
    ['0.0.0.0/0', ['0.0.0.0', '255.255.255.255'], ['::', '::1', '2001:db8::1']],
    ['::/0', ['::', 'ffff::'], ['0.0.0.0', '::ffff:192.0.2.1']],
    ['2001:db8::/33', ['2001:db8:7fff::1'], ['2001:db8:8000::', '2001:db7:ffff::']],
    ['2001:db8::1/128', ['2001:db8::1'], ['2001:db8::', '2001:db8::2']],
  ] as const) {
    const prefix = parsePrefix(prefixText)
    if (!isPrefix(prefix)) throw new Error(prefixText)
    for (const text of inside) {
      const address = parseAddress(text)
      t.equal(address && prefixCovers(prefix, address), true, `${prefixText} covers ${text}`)
    }
    for (const text of outside) {
      const address = parseAddress(text)
      t.equal(address && prefixCovers(prefix, address), false, `${prefixText} is not ${text}`)
    }
  }
})
