/**
 * Reads what an origin has received, as plainly as can be: what stands there is what was sent, and nothing is
 * interpreted beyond where each request ends. Not the parser of the product, and not Node's.
 */

export interface ReadRequest {
  /** The request line. */
  readonly line: string
  /** `name: value`, the name in lower case, in order of arrival. */
  readonly fields: readonly string[]
  /** Chunks joined. */
  readonly body: string
}

export interface ReadRequests {
  readonly requests: readonly ReadRequest[]
  /** What stands behind the last whole request: nothing, or one that was cut short. */
  readonly rest: string
}

/** Latin-1 text of one connection. */
export function readRequests(text: string): ReadRequests {
  const requests: ReadRequest[] = []
  let at = 0
  for (;;) {
    const head = /^[^]*?\r\n\r\n/.exec(text.slice(at))?.[0]
    if (head === undefined) break
    const [line = '', ...lines] = head.slice(0, -4).split('\r\n')
    const fields = lines.map((field) => field.replace(/^[^:]*/, (name) => name.toLowerCase()))
    const body = readBody(fields, text.slice(at + head.length))
    if (body === undefined) break
    requests.push({ line, fields, body: body.content })
    at += head.length + body.length
  }
  return { requests, rest: text.slice(at) }
}

function readBody(
  fields: readonly string[],
  text: string,
): { content: string; length: number } | undefined {
  const lengths = fields.filter((field) => field.startsWith('content-length:'))
  if (fields.some((field) => field.startsWith('transfer-encoding:'))) {
    if (lengths.length > 0) throw new Error(`a length beside chunks: ${fields.join('; ')}`)
    return readChunks(text)
  }
  if (lengths.length > 1) throw new Error(`two lengths: ${fields.join('; ')}`)
  const length = Number(lengths[0]?.split(':')[1] ?? 0)
  return text.length < length ? undefined : { content: text.slice(0, length), length }
}

function readChunks(text: string): { content: string; length: number } | undefined {
  let content = ''
  let at = 0
  for (;;) {
    const size = /^([0-9a-f]+)\r\n/.exec(text.slice(at, at + 20))
    if (size === null) return undefined
    const length = Number.parseInt(size[1] ?? '', 16)
    at += size[0].length
    if (text.slice(at + length, at + length + 2) !== '\r\n') return undefined
    content += text.slice(at, at + length)
    at += length + 2
    if (length === 0) return { content, length: at }
  }
}

/** Fields that the proxy writes, whoever asks: what is left is what the client said. */
export function withoutForwarding(fields: readonly string[]): string[] {
  return fields.filter(
    (field) => !/^(?:x-forwarded-|forwarded:|connection:|via: 1.1 ringfence-)/.test(field),
  )
}
