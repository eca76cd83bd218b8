import t from 'tap'
import { formatAuthority, parseAuthority, parseHost, parsePort } from '../../src/wire/authority.ts'

void t.test(
  'parseAuthority reads host and port, the port by default where one is given',
  async (t) => {
    for (const [text, defaultPort, want] of [
      ['example.com:443', undefined, 'example.com:443'],
      ['EXAMPLE.com.:443', undefined, 'example.com:443'],
      ['example.com', 80, 'example.com:80'],
      ['example.com:8080', 80, 'example.com:8080'],
      ['192.0.2.1:1', undefined, '192.0.2.1:1'],
      ['[2001:DB8:0:0::1]:65535', undefined, '[2001:db8::1]:65535'],
      ['[::1]', 80, '[::1]:80'],
      ['[::ffff:192.0.2.1]:80', undefined, '192.0.2.1:80'],
    ] as const) {
      const authority = parseAuthority(text, defaultPort)
      t.equal(authority && formatAuthority(authority), want, text)
    }
  },
)

void t.test('parseAuthority refuses everything else', async (t) => {
  for (const text of [
    ['', ':', ':443', 'example.com:', 'example.com', 'a:b', 'a:443:80', 'a:0', 'a:0443', 'a:+443'],
    [
      'a:-1',
      'a:65536',
      'a:99999',
      'a:443 ',
      ' a:443',
      'a :443',
      'a:44 3',
      'a:0x1bb',
      'a:4e2',
      'a:https',
    ],
    ['a:443/', 'a:443?', 'a:443#', 'u@a:443', 'u:p@a:443', 'allowed:443#\\@evil:443', 'a,b:443'],
    [
      '[a]:443',
      '[example.com]:443',
      '[192.0.2.1]:443',
      '[::1:443',
      '::1]:443',
      '::1:443',
      '[::1]443',
    ],
    ['[::1]:', '[::1]x:443', '[[::1]]:443', '[]:443', '[::1%lo]:443', '[::1%25lo]:443', 'a\0:443'],
    ['127.1:443', '0x7f.1:443', '0177.0.0.1:443', '2130706433:443', 'a:\u0664\u0664\u0663'],
  ].flat()) {
    t.equal(parseAuthority(text), undefined, JSON.stringify(text))
  }
  t.equal(parseAuthority('example.com:', 80), undefined, 'an empty port is not the default port')
})

void t.test('formatAuthority leaves out the default port and nothing else', async (t) => {
  const authority = parseAuthority('[::1]:80')
  t.equal(authority && formatAuthority(authority, 80), '[::1]')
  t.equal(authority && formatAuthority(authority, 443), '[::1]:80')
})

void t.test('parseHost tells names from literals', async (t) => {
  t.match(parseHost('a.example'), { kind: 'name', name: 'a.example' })
  t.match(parseHost('192.0.2.1'), { kind: 'address', text: '192.0.2.1' })
  t.match(parseHost('[::1]'), { kind: 'address', text: '::1' })
  t.equal(parseHost('::1'), undefined, 'IPv6 needs its brackets')
  t.equal(parseHost('[192.0.2.1]'), undefined, 'and nothing else has them')
  t.equal(parseHost('[::1'), undefined)
})

void t.test('parsePort takes digits of 1 to 65535', async (t) => {
  t.equal(parsePort('1'), 1)
  t.equal(parsePort('65535'), 65_535)
  for (const text of [
    '',
    '0',
    '01',
    '65536',
    '100000',
    '+1',
    '1.0',
    '1e3',
    ' 1',
    '1\n',
    '\u0661',
  ]) {
    t.equal(parsePort(text), undefined, JSON.stringify(text))
  }
})
