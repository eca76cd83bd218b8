/** Addresses that lead where nobody was let, and every way to write them (threats 2.2). */

/** Ends of the ranges that are not the internet, and addresses inside that matter. */
const ipv4: readonly string[] = [
  '0.0.0.0',
  '0.255.255.255',
  '10.0.0.0',
  '10.255.255.255',
  '100.64.0.0',
  '100.100.100.200',
  '100.127.255.255',
  '127.0.0.1',
  '127.255.255.255',
  '168.63.129.16',
  '169.254.0.1',
  '169.254.169.254',
  '169.254.170.2',
  '172.16.0.0',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.0.0',
  '192.168.255.255',
  '198.18.0.0',
  '198.19.255.255',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.0',
  '255.255.255.255',
]

/** The same for IPv6, in the shortest spelling. */
const ipv6: readonly string[] = [
  '::',
  '::1',
  '100::1',
  '100:0:0:1::1',
  '2001:2::1',
  '2001:db8::1',
  '2001:1ff:ffff::1',
  '3fff::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254',
  'fd20:ce::254',
  'fdff:ffff::1',
  'fe80::1',
  'febf::1',
  'fec0::1',
  'ff02::1',
  '4000::1',
  '8000::1',
]

/** Those are written in every way, the others in those that are most likely to be let through. */
const most: ReadonlySet<string> = new Set([
  '0.0.0.0',
  '10.0.0.0',
  '100.100.100.200',
  '127.0.0.1',
  '168.63.129.16',
  '169.254.169.254',
  '172.16.0.0',
  '192.168.255.255',
  '::',
  '::1',
  'fd00:ec2::254',
  'fe80::1',
])

const likely = /, (?:dotted|decimal|mapped|mapped and dotted|NAT64|6to4|shortest|in full)$/

interface Form {
  readonly note: string
  /** As it stands where a host stands. */
  readonly host: string
}

/** Every address that is not public, in every form: none may be dialled, whoever lets it through. */
export function addressForms(): readonly Form[] {
  const forms = (text: string): readonly Form[] =>
    (text.includes(':') ? ipv6Forms(text) : ipv4Forms(text)).filter(
      ({ note }) => most.has(text) || likely.test(note),
    )
  return [...ipv4, ...ipv6].flatMap(forms)
}

/** Addresses as DNS may answer them. */
export function addressAnswers(): readonly string[] {
  const inside = ipv4.flatMap((text) =>
    embedded(text)
      .filter(([note]) => most.has(text) || likely.test(`, ${note}`))
      .map(([, host]) => host),
  )
  return [...ipv4, ...inside, ...ipv6]
}

function ipv4Forms(text: string): readonly Form[] {
  const [a, b, c, d] = bytesOf(text)
  const whole = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d
  const hex = (value: number): string => `0x${value.toString(16)}`
  const octal = (value: number): string => `0${value.toString(8)}`
  const plain: readonly (readonly [string, string])[] = [
    ['dotted', text],
    ['with a dot behind it', `${text}.`],
    ['decimal', `${whole}`],
    ['hexadecimal', hex(whole)],
    ['octal', octal(whole)],
    ['beyond 32 bits', `${whole + 2 ** 32}`],
    ['hexadecimal octets', [a, b, c, d].map(hex).join('.')],
    ['octal octets', [a, b, c, d].map(octal).join('.')],
    ['octets with zeros before them', [a, b, c, d].map((one) => `00${one}`).join('.')],
    ['two parts', `${a}.${whole % 2 ** 24}`],
    ['three parts', `${a}.${b}.${whole % 2 ** 16}`],
    ['parts of different kinds', `${hex(a)}.${octal(b)}.${whole % 2 ** 16}`],
    ['an octet beyond 255', `${a + 256}.${b}.${c}.${d}`],
    ['five parts', `${text}.0`],
    ['in brackets', `[${text}]`],
    ['with a zone', `${text}%eth0`],
    ['with a length', `${text}/32`],
    ['fullwidth', utf8(text.replaceAll(/\d/g, fullwidth))],
    ['circled', utf8(text.replaceAll(/[1-9]/g, circled))],
    [
      'a name that holds it',
      `${text.replaceAll('.', '-')}.nip.invalid.`.replace('.invalid.', '.0x7f'),
    ],
  ]
  const inside = embedded(text).flatMap(([note, host]): (readonly [string, string])[] => [
    [note, `[${host}]`],
    [`${note}, in capitals`, `[${host.toUpperCase()}]`],
    [`${note}, without brackets`, host],
    [`${note}, with a zone`, `[${host}%25eth0]`],
  ])
  const mapped = `[::ffff:${text}]`
  return [...plain, ...inside, ['mapped and dotted', mapped] as const].map(([note, host]) => ({
    note: `${text}, ${note}`,
    host,
  }))
}

/** IPv6 that leads to an IPv4 address. */
function embedded(text: string): readonly (readonly [note: string, host: string])[] {
  const [a, b, c, d] = bytesOf(text)
  const high = (a * 256 + b).toString(16)
  const low = (c * 256 + d).toString(16)
  return [
    ['mapped', `::ffff:${high}:${low}`],
    ['compatible', `::${high}:${low}`],
    ['translated', `::ffff:0:${high}:${low}`],
    ['NAT64', `64:ff9b::${high}:${low}`],
    ['NAT64 of its own network', `64:ff9b:1::${high}:${low}`],
    ['6to4', `2002:${high}:${low}::1`],
    ['Teredo', `2001::${high}:${low}:0:0`],
    ['Teredo client', `2001:0:1:2::${flipped(a, b)}:${flipped(c, d)}`],
    ['ISATAP', `2606:4700::5efe:${high}:${low}`],
  ]
}

function ipv6Forms(text: string): readonly Form[] {
  const full = groupsOf(text)
    .map((group) => group.padStart(4, '0'))
    .join(':')
  const spellings: readonly (readonly [string, string])[] = [
    ['shortest', `[${text}]`],
    ['in full', `[${full}]`],
    ['in full, in capitals', `[${full.toUpperCase()}]`],
    ['without zeros', `[${groupsOf(text).join(':')}]`],
    ['without brackets', text],
    ['with a zone', `[${text}%eth0]`],
    ['with an encoded zone', `[${text}%25eth0]`],
    ['with a length', `[${text}/128]`],
    ['with a dot behind it', `[${text}].`],
    ['with a name behind it', `[${text}].api.example`],
    ['a group of five digits', `[${full.replace(/^/, '0')}]`],
    ['nine groups', `[${full}:0]`],
    ['as a URL of the future', `[v1.${text}]`],
  ]
  return spellings.map(([note, host]) => ({ note: `${text}, ${note}`, host }))
}

function groupsOf(text: string): readonly string[] {
  const [before = '', after = ''] = text.split('::')
  const left = before === '' ? [] : before.split(':')
  const right = after === '' ? [] : after.split(':')
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right]
}

function bytesOf(text: string): readonly [number, number, number, number] {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number)
  return [a, b, c, d]
}

/** Teredo hides the client's address by inverting it (RFC 4380 4). */
function flipped(high: number, low: number): string {
  return ((high * 256 + low) ^ 0xffff).toString(16)
}

function fullwidth(digit: string): string {
  return String.fromCharCode(digit.charCodeAt(0) + 0xfee0)
}

function circled(digit: string): string {
  return String.fromCharCode(digit.charCodeAt(0) - 0x31 + 0x2460)
}

function utf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}
