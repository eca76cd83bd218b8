/** Requests that end in two places, or begin in two (threats 2.4). Behind each stands another that must never be one. */

export interface Mutation {
  readonly note: string
  /** `head`: refused. `body`: the request may go on, nothing behind it may. `whole`: goes on exactly as it is. */
  readonly kind: 'head' | 'body' | 'whole' | 'head or whole'
  /** Of the request line, `$` standing where the target begins: origin-form, or a URL up to its path. */
  readonly line?: string
  /** Instead of the whole head's line ends. */
  readonly lineEnd?: string
  /** Field lines besides Host, with their line ends. */
  readonly fields?: string
  readonly body?: string
  /** Node's parser reads over it, and so the library lane: it goes on written anew, or not at all. */
  readonly isReadOver?: boolean
  /** What the body means, where it arrives. */
  readonly content?: string
}

type Noted = readonly (readonly [note: string, text: string])[]

const post = 'POST $/ HTTP/1.1'
const chunks = '5\r\nhello\r\n0\r\n\r\n'

export function framingMutations(): readonly Mutation[] {
  return [
    ...lengths,
    ...codings,
    ...both,
    ...fieldNames,
    ...fieldLines,
    ...requestLines,
    ...brokenChunks,
    ...whole,
  ]
}

/** RFC 9112 6.2: digits. CVE-2020-15049. */
const lengths: readonly Mutation[] = [
  '',
  '+5',
  '-5',
  '-0',
  '"5"',
  "'5'",
  '"-5',
  '0x5',
  '0o5',
  '5.0',
  '5e0',
  '5 5',
  '5,5',
  '5, 5',
  '5,',
  ',5',
  '5;',
  '5;a=b',
  '5\0',
  '5\x0b',
  '\xa05',
  '\xef\xbc\x95',
  '1_0',
  '5x',
  'five',
  'NaN',
  'Infinity',
  '9007199254740993',
  '9223372036854775813',
  '18446744073709551621',
  '99999999999999999999999',
].map((value) => ({
  note: `the length ${JSON.stringify(value)}`,
  kind: 'head',
  line: post,
  fields: `Content-Length: ${value}\r\n`,
  body: 'hello',
}))

/** RFC 9112 6.1: `chunked`, once, last. */
const codings: readonly Mutation[] = [
  '',
  'xchunked',
  'x-chunked',
  'chunkedx',
  'chunke',
  'chun ked',
  'chun\tked',
  '"chunked"',
  "'chunked'",
  'chunked;',
  'chunked;q=1',
  'chunked; a=b',
  ',chunked',
  ', chunked',
  'chunked,',
  'chunked ,',
  'chunked, chunked',
  'chunked, identity',
  'identity, chunked',
  'chunked, gzip',
  'gzip, chunked',
  'deflate, chunked',
  'identity',
  'gzip',
  'chunked x',
  'x chunked',
  '\x0bchunked',
  'chunked\x0b',
  '\x0cchunked',
  'chunked\0',
  '\0chunked',
  'chunked\xa0',
  '\xa0chunked',
  '\xefchunked',
  'chu\xe4nked',
  'c\xc4\xa7unked',
  'chun\xe2\x84\xaaed',
].map((value) => ({
  note: `the coding ${JSON.stringify(value)}`,
  kind: 'head',
  line: post,
  fields: `Transfer-Encoding: ${value}\r\n`,
  body: chunks,
}))

/** Tinyproxy CVE-2026-54387 and CVE-2026-54388, llhttp CVE-2022-32213, CVE-2022-32215 and CVE-2022-35256. */
const both: readonly Mutation[] = (
  [
    ['a length before chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'],
    ['chunks before a length', 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n'],
    ['no length before chunks', 'Content-Length: 0\r\nTransfer-Encoding: chunked\r\n'],
    ['two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n'],
    ['two lengths, one of them none', 'Content-Length: 0\r\nContent-Length: 5\r\n'],
    ['the same length twice', 'Content-Length: 5\r\nContent-Length: 5\r\n'],
    ['chunks twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'],
    ['two codings', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n'],
    ['an odd coding first', 'Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n'],
    ['a folded coding', 'Transfer-Encoding:\r\n chunked\r\n'],
    ['a coding folded behind', 'Transfer-Encoding: chunked\r\n , identity\r\n'],
    ['a folded length', 'Content-Length:\r\n 5\r\n'],
    ['a length that Connection names', 'Connection: content-length\r\nContent-Length: 5\r\n'],
  ] satisfies Noted
).map(([note, fields]) => ({ note, kind: 'head', line: post, fields, body: chunks }))

/** Names that are a framing field to somebody. */
const fieldNames: readonly Mutation[] = ['Content-Length', 'Transfer-Encoding'].flatMap((name) => {
  const value = name === 'Content-Length' ? '5' : 'chunked'
  const names = [
    `${name} `,
    `${name}\t`,
    ` ${name}`,
    `\t${name}`,
    `${name}\0`,
    `\0${name}`,
    `${name}\x0b`,
    `${name}\xa0`,
    `${name}\r`,
    `${name}\n`,
    `${name}:`,
    name.replace('-', '_'),
    name.replace('-', ' '),
    name.replace('-', ':'),
    name.replace('-', '\0'),
    name.replace('-', '\xad'),
  ]
  return names.map((spelled): Mutation => {
    // A name with a colon ends there: what it names means nothing to anybody.
    const isOther = spelled === name.replace('-', ':')
    return {
      note: `the field ${JSON.stringify(spelled)}`,
      kind: isOther ? 'head or whole' : 'head',
      line: isOther ? 'GET $/ HTTP/1.1' : post,
      fields: `${spelled}: ${value}\r\n`,
      body: isOther ? '' : name === 'Content-Length' ? 'hello' : chunks,
    }
  })
})

const controls = [...Array.from({ length: 32 }, (_, code) => code), 0x7f].filter(
  (code) => code !== 0x09,
)

/** RFC 9112 5, RFC 9110 5.5. Node CVE-2023-30589 and CVE-2021-22959. */
const fieldLines: readonly Mutation[] = [
  ...controls.map((code): Mutation => ({
    note: `the control character ${code} in a value`,
    kind: 'head',
    fields: `X-A: a${String.fromCharCode(code)}b\r\n`,
  })),
  ...controls.map((code): Mutation => ({
    note: `the control character ${code} in a name`,
    kind: 'head',
    fields: `X${String.fromCharCode(code)}A: a\r\n`,
  })),
  ...'()<>@,;\\"/[]?={} \t\x80\xff'.split('').map((sign): Mutation => ({
    note: `${JSON.stringify(sign)} in a name`,
    kind: 'head',
    fields: `X${sign}A: a\r\n`,
  })),
  ...(
    [
      ['no colon', 'X-A\r\n'],
      ['no name', ': a\r\n'],
      ['nothing but a colon', ':\r\n'],
      ['a folded value', 'X-A: a\r\n b\r\n'],
      ['a value folded with a tab', 'X-A: a\r\n\tb\r\n'],
      ['a line that ends with LF', 'X-A: a\nX-B: b\r\n'],
      ['a line that ends with CR', 'X-A: a\rX-B: b\r\n'],
      ['a line that ends with CR CR LF', 'X-A: a\r\r\n'],
      ['a line that ends with LF CR', 'X-A: a\n\rX-B: b\r\n'],
      ['a head that ends with LF', 'X-A: a\r\n\nGET /smuggled HTTP/1.1\r\n'],
      ['a head that ends with CR', 'X-A: a\r\n\rGET /smuggled HTTP/1.1\r\n'],
      ['a second Host', 'Host: evil.example\r\n'],
      ['a second Host, folded (CVE-2016-4554)', 'X-A: a\r\n Host: evil.example\r\n'],
      ['a second Host behind a bare LF', 'X-A: a\nHost: evil.example\r\n'],
      ['a request behind a bare LF', 'X-A: a\n\nGET /smuggled HTTP/1.1\nHost: evil.example\r\n'],
      ['a request behind a bare CR', 'X-A: a\r\rGET /smuggled HTTP/1.1\rHost: evil.example\r\n'],
    ] satisfies Noted
  ).map(([note, fields]): Mutation => ({ note, kind: 'head', fields })),
]

/** RFC 9112 3. Squid CVE-2020-25097. */
const requestLines: readonly Mutation[] = (
  [
    ['a blank in the target', 'GET $/a b HTTP/1.1'],
    ['a tab in the target', 'GET $/a\tb HTTP/1.1'],
    ['a NUL in the target', 'GET $/a\0b HTTP/1.1'],
    ['a DEL in the target', 'GET $/a\x7fb HTTP/1.1'],
    ['a bare CR in the target', 'GET $/a\rb HTTP/1.1'],
    ['a bare LF in the target', 'GET $/a\nb HTTP/1.1'],
    ['a backslash in the target', 'GET $/a\\b HTTP/1.1'],
    ['a fragment in the target', 'GET $/a#b HTTP/1.1'],
    ['a byte beyond ASCII in the target', 'GET $/\xe9 HTTP/1.1'],
    ['a control character in the target', 'GET $/\x1b[2J HTTP/1.1'],
    ['two blanks before the target', 'GET  $/ HTTP/1.1'],
    ['a tab before the target', 'GET\t$/ HTTP/1.1'],
    ['two blanks before the version', 'GET $/  HTTP/1.1'],
    ['a tab before the version', 'GET $/\tHTTP/1.1'],
    ['a blank behind the version', 'GET $/ HTTP/1.1 '],
    ['a blank before the method', ' GET $/ HTTP/1.1'],
    ['a method in small letters', 'get $/ HTTP/1.1'],
    ['a method of two words', 'GET GET $/ HTTP/1.1'],
    ['a method with a colon', 'GET: $/ HTTP/1.1'],
    ['a method with a NUL', 'GE\0T $/ HTTP/1.1'],
    ['a method in quotes', '"GET" $/ HTTP/1.1'],
    ['no method', ' $/ HTTP/1.1'],
    ['no target', 'GET HTTP/1.1'],
    ['no version', 'GET $/'],
    ['HTTP/0.9', 'GET $/ HTTP/0.9'],
    ['HTTP/1', 'GET $/ HTTP/1'],
    ['HTTP/1.', 'GET $/ HTTP/1.'],
    ['HTTP/1.10', 'GET $/ HTTP/1.10'],
    ['HTTP/01.1', 'GET $/ HTTP/01.1'],
    ['HTTP/1.1x', 'GET $/ HTTP/1.1x'],
    ['HTTP/1,1', 'GET $/ HTTP/1,1'],
    ['HTTP/1.2', 'GET $/ HTTP/1.2'],
    ['HTTP/2', 'GET $/ HTTP/2'],
    ['HTTP/2.0', 'GET $/ HTTP/2.0'],
    ['http/1.1', 'GET $/ http/1.1'],
    ['HTTP /1.1', 'GET $/ HTTP /1.1'],
    ['HTTPS/1.1', 'GET $/ HTTPS/1.1'],
    ['ICE/1.0', 'GET $/ ICE/1.0'],
    ['RTSP/1.0', 'GET $/ RTSP/1.0'],
  ] satisfies Noted
)
  .map(([note, line]): Mutation => ({
    note,
    kind: 'head',
    line,
    isReadOver: note.startsWith('two blanks before') || note === 'RTSP/1.0',
  }))
  .concat(
    [' ', '\t', '\0', '\v', '\r', '\ufeff'].map((before) => ({
      note: `${JSON.stringify(before)} before it all`,
      kind: 'head',
      isReadOver: before === '\r',
      line: `${Buffer.from(before, 'utf8').toString('latin1')}GET $/ HTTP/1.1`,
    })),
    [
      { note: 'lines that end with LF', kind: 'head', lineEnd: '\n' },
      { note: 'lines that end with CR', kind: 'head', lineEnd: '\r' },
      { note: 'lines that end with CR CR LF', kind: 'head', lineEnd: '\r\r\n' },
    ],
  )

/** RFC 9112 7.1. Squid CVE-2023-46846 and CVE-2026-61642, tinyproxy CVE-2026-3945, Go CVE-2025-22871, Node CVE-2021-22960. */
const brokenChunks: readonly Mutation[] = (
  [
    ['no size', '\r\nhello\r\n0\r\n\r\n'],
    ['a size that is no number', 'x\r\nhello\r\n0\r\n\r\n'],
    ['a size with 0x', '0x5\r\nhello\r\n0\r\n\r\n'],
    ['a size with a sign', '+5\r\nhello\r\n0\r\n\r\n'],
    ['a negative size', '-5\r\nhello\r\n0\r\n\r\n'],
    ['a size with an underscore', '0_5\r\nhello\r\n0\r\n\r\n'],
    ['a size in quotes', '"5"\r\nhello\r\n0\r\n\r\n'],
    ['a size with an h', '5h\r\nhello\r\n0\r\n\r\n'],
    ['a size with a dot', '5.\r\nhello\r\n0\r\n\r\n'],
    ['a blank before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
    ['a tab before the size', '\t5\r\nhello\r\n0\r\n\r\n'],
    ['a vertical tab behind the size', '5\x0b\r\nhello\r\n0\r\n\r\n'],
    ['a NUL behind the size', '5\0\r\nhello\r\n0\r\n\r\n'],
    ['a size that overflows 53 bits', '20000000000005\r\nhello\r\n0\r\n\r\n'],
    ['a size that overflows 64 bits', '10000000000000005\r\nhello\r\n0\r\n\r\n'],
    ['LF behind the size', '5\nhello\r\n0\r\n\r\n'],
    ['CR behind the size', '5\rhello\r\n0\r\n\r\n'],
    ['LF behind the content', '5\r\nhello\n0\r\n\r\n'],
    ['CR behind the content', '5\r\nhello\r0\r\n\r\n'],
    ['nothing behind the content', '5\r\nhello0\r\n\r\n'],
    ['anything behind the content', '5\r\nhelloxx0\r\n\r\n'],
    ['more content than the size', '5\r\nhello, hello\r\n0\r\n\r\n'],
    ['less content than the size', '8\r\nhello\r\n0\r\n\r\n'],
    ['LF behind the last size', '5\r\nhello\r\n0\n\r\n'],
    ['LF behind everything', '5\r\nhello\r\n0\r\n\n'],
    ['CR behind everything', '5\r\nhello\r\n0\r\n\rx'],
    ['an extension with a bare LF', '5;a\nb\r\nhello\r\n0\r\n\r\n'],
    ['an extension with a bare CR', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
    ['an extension with a NUL', '5;a\0b\r\nhello\r\n0\r\n\r\n'],
    ['an extension without end', `5;${'a'.repeat(70_000)}`],
    ['a trailer without a colon', '5\r\nhello\r\n0\r\nX-A\r\n\r\n'],
    ['a trailer with a bare LF', '5\r\nhello\r\n0\r\nX-A: a\nX-B: b\r\n\r\n'],
    ['a folded trailer', '5\r\nhello\r\n0\r\nX-A: a\r\n b\r\n\r\n'],
    ['a trailer with a NUL', '5\r\nhello\r\n0\r\nX-A: \0\r\n\r\n'],
    ['trailers without end', `5\r\nhello\r\n0\r\n${'X-A: a\r\n'.repeat(9000)}`],
  ] satisfies Noted
).map(([note, body]) => ({
  note: `chunks with ${note}`,
  kind: 'body',
  line: post,
  fields: 'Transfer-Encoding: chunked\r\n',
  body,
}))

const inner = 'GET /smuggled HTTP/1.1\r\nHost: evil.example\r\n\r\n'
const innerSize = inner.length.toString(16)

/** What is one request however odd it looks: a request as the content of another stays its content. */
const whole: readonly Mutation[] = [
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'].flatMap((method) => [
    {
      note: `${method} with a length`,
      kind: 'whole' as const,
      line: `${method} $/ HTTP/1.1`,
      fields: `Content-Length: ${inner.length}\r\n`,
      body: inner,
      content: inner,
    },
    {
      note: `${method} with chunks`,
      kind: 'whole' as const,
      line: `${method} $/ HTTP/1.1`,
      fields: 'Transfer-Encoding: chunked\r\n',
      body: `${innerSize}\r\n${inner}\r\n0\r\n\r\n`,
      content: inner,
    },
  ]),
  ...(
    [
      ['Chunked in capitals (CVE-2026-31842)', 'Transfer-Encoding: Chunked\r\n', chunks],
      [
        'a trailer that is a length',
        'Transfer-Encoding: chunked\r\n',
        '5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n',
      ],
      [
        'a trailer that is a coding',
        'Transfer-Encoding: chunked\r\n',
        '5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n',
      ],
      [
        'a trailer that is a Host',
        'Transfer-Encoding: chunked\r\n',
        '5\r\nhello\r\n0\r\nHost: evil.example\r\n\r\n',
      ],
      ['an extension', 'Transfer-Encoding: chunked\r\n', '5;a=b\r\nhello\r\n0\r\n\r\n'],
      [
        'a size of a hundred digits',
        'Transfer-Encoding: chunked\r\n',
        `${'0'.repeat(99)}5\r\nhello\r\n0\r\n\r\n`,
      ],
      [
        'a size with zeros before it',
        'Transfer-Encoding: chunked\r\n',
        '005\r\nhello\r\n0\r\n\r\n',
      ],
      ['a length with zeros before it', 'Content-Length: 005\r\n', 'hello'],
      ['blanks around a length', 'Content-Length:  5  \r\n', 'hello'],
      [
        'chunks that Connection names',
        'Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n',
        chunks,
      ],
      ['chunks that TE takes', 'TE: chunked\r\nTransfer-Encoding: chunked\r\n', chunks],
      ['HTTP/1.0 with a length', 'Content-Length: 5\r\n', 'hello'],
    ] as const
  ).map(([note, fields, body]): Mutation => ({
    note,
    kind: 'head or whole',
    line: note.startsWith('HTTP/1.0') ? 'POST $/ HTTP/1.0' : post,
    fields,
    body,
    content: 'hello',
  })),
]
