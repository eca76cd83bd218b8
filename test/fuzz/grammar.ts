/**
 * Bytes that are almost HTTP/1: built by its grammar from what is usual and what is odd, and then bent in a place or
 * two. The same seed gives the same bytes.
 */

export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 0 to below `sides`. */
  roll(sides: number): number {
    // Mulberry32.
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * sides)
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.roll(choices.length)] ?? choices[0]
  }

  /** True once in so many times. */
  isRare(times: number): boolean {
    return this.roll(times) === 0
  }
}

const odd = [
  '\r',
  '\n',
  '\r\n',
  ' ',
  '\t',
  '\0',
  '\x0b',
  '\x7f',
  '\xa0',
  '\xe9',
  ':',
  ';',
  ',',
  '=',
  '"',
  '0',
  '5',
  'a',
  'chunked',
  '%',
  '#',
  '\\',
  '_',
  '-',
] as const

/** Puts in, takes out, exchanges or doubles a little. */
function bend(dice: Dice, text: string): string {
  const at = dice.roll(text.length + 1)
  const length = 1 + dice.roll(3)
  switch (dice.roll(4)) {
    case 0:
      return text.slice(0, at) + dice.pick(odd) + text.slice(at)
    case 1:
      return text.slice(0, at) + text.slice(at + length)
    case 2:
      return text.slice(0, at) + dice.pick(odd) + text.slice(at + 1)
    default:
      return text.slice(0, at + length) + text.slice(at)
  }
}

/** Bent in no place, in one, or in several. */
export function bendMaybe(dice: Dice, text: string): string {
  let bent = text
  while (dice.isRare(3)) bent = bend(dice, bent)
  return bent
}

const host = 'Host: orders.test'

/** Without `Proxy-Connection: close`: Node takes it for Connection, which nothing asks for (RFC 9112 appendix C.2.2). */
const requestFields = [
  'Accept: */*',
  'X-A: b',
  'X-A:',
  'x-a:\tb \t',
  'X-A: b, c; d="e"',
  'X-A: \xe9',
  'Cookie: a=b; c=d',
  'X_A: b',
  'Expect: 100-continue',
  'Connection: close',
  'Connection: keep-alive',
  'Connection: X-A',
  'Connection: host',
  'Connection: content-length',
  'TE: trailers',
  'Trailer: X-A',
  'Keep-Alive: timeout=5',
  'Upgrade: h2c',
  'Proxy-Connection: keep-alive',
  'Content-Length: 0',
  'Content-Length: 5',
  'Content-Length: +5',
  'Content-Length: 5, 5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: identity',
  'Transfer_Encoding: chunked',
  'Host: other.test',
  'X-Forwarded-For: 10.0.0.1',
  'X-Nsp-Subscription-Id: 1',
  'X-Ringfence-A: b',
  'Range: bytes=0-',
  '!#: b',
  ' X-A: b',
  'X-A : b',
  'X-A',
  ': b',
] as const

/** Nothing but what a usual client says: so that a request of which the rest is odd is not refused for these. */
const usualFields = [
  'Accept: */*',
  'X-A: b',
  'x-a:\tb \t',
  'X-A: b, c; d="e"',
  'Cookie: a=b; c=d',
  'Connection: keep-alive',
  'Connection: X-A',
  'TE: trailers',
  'Range: bytes=0-',
] as const

function chunksOf(dice: Dice): string {
  let text = ''
  for (let left = dice.roll(4); left > 0; left--) {
    const content = 'x'.repeat(1 + dice.roll(20))
    const size = content.length.toString(16)
    const written = dice.pick([
      size,
      size,
      size,
      `0${size}`,
      size.toUpperCase(),
      `${size};a=b`,
      `${size} `,
    ])
    text += `${written}\r\n${content}\r\n`
  }
  return `${text}${dice.pick(['0', '0', '0', '00', '0;a'])}\r\n${dice.pick(['', '', '', 'X-T: a\r\n', 'Content-Length: 5\r\n', 'Host: a\r\n'])}\r\n`
}

/** The field and the bytes of a body. */
function body(dice: Dice): [field: string | undefined, bytes: string] {
  switch (dice.roll(5)) {
    case 0:
      return ['Content-Length: 5', dice.pick(['hello', 'hello', 'hell', '0\r\n\r\n'])]
    case 1:
    case 2:
      return [
        dice.pick([
          'Transfer-Encoding: chunked',
          'transfer-encoding:Chunked',
          'Transfer-Encoding: chunked ',
        ]),
        chunksOf(dice),
      ]
    default:
      return [undefined, '']
  }
}

function shuffled(dice: Dice, lines: readonly string[]): string[] {
  const left = [...lines]
  const result: string[] = []
  while (left.length > 0) result.push(...left.splice(dice.roll(left.length), 1))
  return result
}

function request(dice: Dice): string {
  const isUsual = dice.roll(4) > 0
  const method = isUsual
    ? dice.pick(['GET', 'GET', 'POST', 'PUT', 'HEAD'])
    : dice.pick(['DELETE', 'OPTIONS', 'PATCH', 'QUERY', 'FOO', 'get'])
  const target = isUsual
    ? dice.pick(['/', '/a', '/a?b=c', '//a', '/%2e'])
    : dice.pick(['/a#b', '*', 'http://orders.test/'])
  const version = isUsual ? 'HTTP/1.1' : dice.pick(['HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0'])
  const [framing, bytes] = body(dice)
  const fields: string[] = !isUsual && dice.isRare(3) ? [] : [host]
  if (framing !== undefined) fields.push(framing)
  for (let more = dice.roll(4); more > 0; more--) {
    fields.push(dice.pick<string>(isUsual ? usualFields : requestFields))
  }
  const lines = [`${method} ${target} ${version}`, ...shuffled(dice, fields), '', '']
  return lines.join('\r\n') + bytes
}

/** What a client may send on one connection: one request to three. */
export function makeRequests(dice: Dice): string {
  let text = ''
  for (let left = 1 + dice.roll(3); left > 0; left--) text += request(dice)
  return bendMaybe(dice, text)
}

const answerFields = [
  'Server: a',
  'X-A: b',
  'X-A:',
  'X-A: \xe9',
  'Set-Cookie: a=b',
  'Date: Mon, 01 Jan 2024 00:00:00 GMT',
  'X-Ms-Request-Id: a',
  'X-Ringfence-Correlation-Id: a',
  'Connection: close',
  'Connection: keep-alive',
  'Connection: X-A',
  'Connection: date, x-ms-request-id',
  'Keep-Alive: timeout=5',
  'Trailer: X-A',
  'Upgrade: h2c',
  'Content-Type: a/b',
  'Content-Length: 5',
  'Content-Length: 0',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip',
  'X-A : b',
  ' X-A: b',
  'Location: /a',
  'Via: 1.1 a',
  'Content-Encoding: gzip',
] as const

/** What a back end may send to one request, before it ends. */
export function makeAnswer(dice: Dice): string {
  const interim = dice.pick([
    '',
    '',
    '',
    '',
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n',
  ])
  const version = dice.pick([
    'HTTP/1.1',
    'HTTP/1.1',
    'HTTP/1.1',
    'HTTP/1.0',
    'HTTP/1.2',
    'HTTP/2.0',
  ])
  const status = dice.pick([
    ' 200 OK',
    ' 200 OK',
    ' 200',
    ' 404 Not Found',
    ' 204 No Content',
    ' 304 Not Modified',
    ' 205 A',
    ' 999 ',
    ' 101 A',
    ' 99 A',
    ' 1000 A',
  ])
  const [framing, bytes] = body(dice)
  const fields: string[] = framing === undefined ? [] : [framing]
  for (let more = dice.roll(4); more > 0; more--) fields.push(dice.pick(answerFields))
  const content = bytes === '' ? dice.pick(['', 'hello']) : bytes
  const lines = [version + status, ...shuffled(dice, fields), '', '']
  return bendMaybe(
    dice,
    interim + lines.join('\r\n') + content + dice.pick(['', '', '', '', 'more']),
  )
}
