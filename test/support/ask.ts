import type { OutgoingHttpHeaders } from 'node:http2'
import type { Lane } from '../../src/settings/settings.ts'
import { connectHttp2 } from './http2-client.ts'
import { connectRaw } from './raw-client.ts'

/** The ways in which a client may be served: what is decided, recorded and forwarded must not depend on them. */
export const ways: readonly { readonly protocol: 'HTTP/1.1' | 'HTTP/2'; readonly lane: Lane }[] = [
  { protocol: 'HTTP/1.1', lane: 'relay' },
  { protocol: 'HTTP/1.1', lane: 'library' },
  { protocol: 'HTTP/2', lane: 'relay' },
]

export interface Question {
  readonly method?: string
  readonly path?: string
  readonly host?: string
  readonly fields?: readonly (readonly [name: string, value: string])[]
  readonly body?: string
  /** The body has no length. */
  readonly isStreamed?: boolean
}

export interface Reply {
  readonly status: number
  /** Lower-case names, without those that belong to a connection or a moment. */
  readonly fields: Readonly<Record<string, string>>
  readonly body: string
}

interface Where {
  readonly port: number
  readonly ca: string
  readonly servername: string
}

/** Asks over TLS, on a connection of its own. */
export async function ask(
  protocol: (typeof ways)[number]['protocol'],
  where: Where,
  question: Question,
): Promise<Reply> {
  return protocol === 'HTTP/2' ? askHttp2(where, question) : askHttp1(where, question)
}

async function askHttp1({ port, ...tls }: Where, question: Question): Promise<Reply> {
  const { method = 'GET', path = '/', host = 'orders.test', fields = [], body } = question
  const lines = [`host: ${host}`, ...fields.map(([name, value]) => `${name}: ${value}`)]
  let content = body ?? ''
  if (body !== undefined && question.isStreamed === true) {
    lines.push('transfer-encoding: chunked')
    content = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
  } else if (body !== undefined) {
    lines.push(`content-length: ${body.length}`)
  }
  const client = await connectRaw({ port, tls: { ...tls, alpn: ['http/1.1'] } })
  client.send(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${content}`)
  const response = await client.response({ bodyless: method === 'HEAD' })
  client.destroy()
  const [, ...raw] = response.head.trimEnd().split('\r\n')
  const pairs = raw.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
  return { status: response.status, fields: kept(pairs), body: response.body }
}

async function askHttp2(where: Where, question: Question): Promise<Reply> {
  const { method = 'GET', path = '/', host = 'orders.test', fields = [], body } = question
  const values: Record<string, string[]> = {}
  for (const [name, value] of fields) values[name] = [...(values[name] ?? []), value]
  const headers: OutgoingHttpHeaders = { ':method': method, ':authority': host, ...values }
  if (body !== undefined && question.isStreamed !== true) {
    headers['content-length'] = String(body.length)
  }
  const client = await connectHttp2(where)
  const response = await client.exchange(path, { headers, ...(body === undefined ? {} : { body }) })
  client.destroy()
  const pairs = Object.entries(response.headers).map(([name, value]): [string, string] => [
    name,
    String(value),
  ])
  return { status: response.status, fields: kept(pairs), body: response.body }
}

const ofTheConnection: ReadonlySet<string> = new Set([
  ':status',
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'transfer-encoding',
])

function kept(pairs: readonly (readonly [string, string])[]): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase()
    if (ofTheConnection.has(lower)) continue
    const before = fields[lower]
    fields[lower] = before === undefined ? value : `${before},${value}`
  }
  return fields
}
