import type { DecisionReason, FailureReason } from '../reasons.ts'

/**
 * What a client sees instead of an answer: the one mapping from a reason to HTTP. A client learns the reason and the
 * correlation id, never internals; only our own workload, on the outbound side, is told what would let it through.
 */

export type RefusalReason = DecisionReason | FailureReason

export interface Refusal {
  readonly reason: RefusalReason
  /** Default: `statusOf(reason)`. Only for finer words of the same kind: 408, 431. */
  readonly status?: number
  /** Also in the access log. */
  readonly correlationId: string
  /** Default: `messageOf(reason)`. One sentence without a client's bytes. */
  readonly message?: string
  /** A page for a person instead of the ARM error body. */
  readonly html: boolean
  /** Outbound only: it goes to our own workload. INVARIANT: an inbound refusal has none, for it would reveal policy. */
  readonly hint?: RefusalHint
}

export interface RefusalHint {
  /** `host:port`, canonical. */
  readonly destination: string
  readonly profile?: string
  /** The rule that would allow it, as a line of YAML for the profile's `accessRules`. */
  readonly rule?: string
}

export interface RenderedRefusal {
  readonly status: number
  /** Name and value in turn, lower-case names, `content-length` included. */
  readonly headers: string[]
  readonly body: Buffer
}

interface Meaning {
  readonly status: number
  readonly message: string
}

const denied = 'the network security perimeter does not allow this request'

function denial(message = denied): Meaning {
  return { status: 403, message }
}

/** Allowing reasons are here because the set is one; should one ever be refused, it is refused as a denial. */
const meanings = {
  'private-endpoint': denial(),
  'locked-down': denial(),
  'public-access-disabled': denial('public network access to this resource is disabled'),
  'resource-rules': denial("this resource's own rules do not allow this request"),
  'same-perimeter': denial(),
  'linked-perimeter': denial(),
  'access-rule': denial(),
  'audit-mode': denial(),
  'no-matching-rule': denial(),
  'not-associated': denial(),
  'port-not-allowed': denial(
    'an access rule names this destination, but its port is not one of egress.ports',
  ),
  'learning-mode': denial(),
  'bad-request': { status: 400, message: 'the request is malformed or ambiguous' },
  'unknown-resource': { status: 404, message: 'there is no such resource here' },
  'unknown-caller': denial('the caller of this request is not known to the perimeter'),
  'private-endpoint-not-approved': denial(
    'the private endpoint of this connection is not approved for this resource',
  ),
  limit: { status: 503, message: 'too much is in progress; try again later' },
  loop: { status: 508, message: 'the request goes round in circles' },
  'address-not-public': denial(
    'the destination has no public address, and egress.privateAddresses grants it no other',
  ),
  'name-mismatch': { status: 421, message: 'the request names another host than its connection' },
  'tls-name-absent': denial('the TLS inside the tunnel asks for no name'),
  'tls-names-several': denial('the TLS inside the tunnel asks for more than one name'),
  'tls-unreadable': denial('the beginning of TLS inside the tunnel could not be read'),
  'tls-encrypted': denial('the TLS inside the tunnel encrypts the name that it asks for'),
  'not-tls': denial('what is inside the tunnel is not TLS'),
  'policy-revoked': denial('the network security perimeter no longer allows this connection'),
  'internal-error': { status: 500, message: 'the request could not be decided' },
  'dns-failed': { status: 502, message: 'the name of the destination could not be resolved' },
  'dns-timeout': { status: 504, message: 'the name of the destination was not resolved in time' },
  'connect-refused': { status: 502, message: 'the destination refused the connection' },
  'connect-timeout': {
    status: 504,
    message: 'the destination did not accept the connection in time',
  },
  'connect-failed': { status: 502, message: 'the destination could not be connected to' },
  'tls-failed': { status: 502, message: 'no secure connection to the destination could be made' },
  'backend-timeout': { status: 504, message: 'the destination did not answer in time' },
  'backend-reset': { status: 502, message: 'the destination closed the connection' },
  'backend-invalid': {
    status: 502,
    message: 'the destination gave an answer that is not valid HTTP',
  },
  'upstream-proxy-failed': { status: 502, message: 'the upstream proxy could not be used' },
  'upstream-proxy-refused': {
    status: 502,
    message: 'the upstream proxy refused the connection',
  },
} as const satisfies Record<RefusalReason, Meaning>

/** ARM's error codes by status; 403 is the perimeter's own denial. */
const errorCodes: ReadonlyMap<number, readonly [code: string, phrase: string]> = new Map([
  [400, ['BadRequest', 'Bad Request']],
  [403, ['NetworkSecurityPerimeterDenied', 'Forbidden']],
  [404, ['ResourceNotFound', 'Not Found']],
  [407, ['ProxyAuthenticationRequired', 'Proxy Authentication Required']],
  [408, ['RequestTimeout', 'Request Timeout']],
  [421, ['MisdirectedRequest', 'Misdirected Request']],
  [431, ['RequestHeaderFieldsTooLarge', 'Request Header Fields Too Large']],
  [500, ['InternalError', 'Internal Server Error']],
  [502, ['BadGateway', 'Bad Gateway']],
  [503, ['ServerBusy', 'Service Unavailable']],
  [504, ['GatewayTimeout', 'Gateway Timeout']],
  // RFC 5842 7.2.
  [508, ['LoopDetected', 'Loop Detected']],
])

/** HTTP status of a refusal. */
export function statusOf(reason: RefusalReason): number {
  return meanings[reason].status
}

/** The sentence that a client reads. */
export function messageOf(reason: RefusalReason): string {
  return meanings[reason].message
}

/** Status, fields and body of a refusal (ARM error body, REST API guidelines; NSP has no wire format of its own). */
export function renderRefusal(refusal: Refusal): RenderedRefusal {
  const status = refusal.status ?? statusOf(refusal.reason)
  const [code, phrase] = errorCodes.get(status) ?? ['InternalError', 'Error']
  const facts: Facts = {
    status,
    code,
    phrase,
    message: refusal.message ?? messageOf(refusal.reason),
    inner: innerError(refusal),
  }
  const body = Buffer.from(refusal.html ? renderPage(facts) : renderJson(facts))
  const fields: Field[] = [
    ['content-type', refusal.html ? 'text/html; charset=utf-8' : 'application/json'],
    ['content-length', String(body.length)],
    ['x-ms-error-code', code],
    ['x-ms-request-id', headerSafe(refusal.correlationId)],
    ['cache-control', 'no-store'],
  ]
  if (refusal.html) fields.push(...pageFields)
  // RFC 9110 15.5.8: a client learns from it how.
  if (status === 407)
    fields.push(['proxy-authenticate', 'Basic realm="ringfence", charset="UTF-8"'])
  if (status === 503) fields.push(['retry-after', '1'])
  return { status, headers: fields.flat(), body }
}

/** The refusal as the bytes of a whole HTTP/1.1 response, for a bare socket that is closed after it. */
export function renderRawRefusal(refusal: Refusal): Buffer {
  const rendered = renderRefusal(refusal)
  const head = `${formatRefusalHead(rendered)}connection: close\r\n\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), rendered.body])
}

/** Its status line and field lines, without what is said of the connection and without the empty line. */
export function formatRefusalHead({ status, headers }: RenderedRefusal): string {
  const phrase = errorCodes.get(status)?.[1] ?? 'Error'
  let head = `HTTP/1.1 ${status} ${phrase}\r\n`
  for (let index = 0; index < headers.length; index += 2) {
    head += `${headers[index]}: ${headers[index + 1]}\r\n`
  }
  return head
}

type Field = [name: string, value: string]

interface Facts {
  readonly status: number
  readonly code: string
  readonly phrase: string
  readonly message: string
  readonly inner: Readonly<Record<string, string>>
}

function innerError({ reason, correlationId, hint }: Refusal): Record<string, string> {
  const inner: Record<string, string> = { reason, correlationId }
  if (hint === undefined) return inner
  inner['destination'] = hint.destination
  if (hint.profile !== undefined) inner['profile'] = hint.profile
  if (hint.rule !== undefined) inner['suggestedRule'] = hint.rule
  return inner
}

function renderJson({ code, message, inner }: Facts): string {
  return JSON.stringify({ error: { code, message, innererror: inner } })
}

/** Nothing on the page may run or load, were anything on it ever not ours. */
const pageFields: readonly Field[] = [
  ['content-security-policy', "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"],
  ['x-content-type-options', 'nosniff'],
  ['referrer-policy', 'no-referrer'],
]

function renderPage({ status, code, phrase, message, inner }: Facts): string {
  const rows = Object.entries({ code, ...inner }).map(
    ([name, value]) => `<dt>${escapeHtml(name)}</dt><dd><code>${escapeHtml(value)}</code></dd>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${status} ${escapeHtml(phrase)}</title></head>
<body><h1>${status} ${escapeHtml(phrase)}</h1>
<p>${escapeHtml(message)}.</p>
<dl>${rows.join('')}</dl>
<p>Give the correlation id to whoever runs this service.</p></body></html>
`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** Ids are ours and plain; should one ever not be, it must not split a header. */
function headerSafe(text: string): string {
  return text.replace(/[^0-9A-Za-z._-]/g, '')
}
