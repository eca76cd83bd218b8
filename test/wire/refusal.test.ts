import t from 'tap'
import { decisionReasons, failureReasons } from '../../src/reasons.ts'
import {
  messageOf,
  type Refusal,
  renderRawRefusal,
  renderRefusal,
  statusOf,
} from '../../src/wire/refusal.ts'

const correlationId = 'c0ffee00-0000-4000-8000-000000000001'

function headersOf(headers: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {}
  for (let index = 0; index < headers.length; index += 2) {
    found[headers[index] ?? ''] = headers[index + 1] ?? ''
  }
  return found
}

void t.test('statusOf: every reason has its status, and denials are 403', async (t) => {
  const others: Partial<Record<string, number>> = {
    'bad-request': 400,
    'unknown-resource': 404,
    limit: 503,
    loop: 508,
    'name-mismatch': 421,
    'internal-error': 500,
    'dns-failed': 502,
    'dns-timeout': 504,
    'connect-refused': 502,
    'connect-timeout': 504,
    'connect-failed': 502,
    'tls-failed': 502,
    'backend-timeout': 504,
    'backend-reset': 502,
    'backend-invalid': 502,
    'upstream-proxy-failed': 502,
    'upstream-proxy-refused': 502,
  }
  for (const reason of [...decisionReasons, ...failureReasons]) {
    t.equal(statusOf(reason), others[reason] ?? 403, reason)
    t.match(messageOf(reason), /^[a-z][^\n]*[^.]$/, `${reason}: one lower-case sentence`)
  }
})

void t.test('a denial is the ARM error body', async (t) => {
  const { status, headers, body } = renderRefusal({
    reason: 'no-matching-rule',
    correlationId,
    html: false,
  })
  t.equal(status, 403)
  t.equal(
    body.toString(),
    '{"error":{"code":"NetworkSecurityPerimeterDenied",' +
      '"message":"the network security perimeter does not allow this request",' +
      `"innererror":{"reason":"no-matching-rule","correlationId":"${correlationId}"}}}`,
  )
  t.same(headersOf(headers), {
    'content-type': 'application/json',
    'content-length': String(body.length),
    'x-ms-error-code': 'NetworkSecurityPerimeterDenied',
    'x-ms-request-id': correlationId,
    'cache-control': 'no-store',
  })
})

void t.test('error codes by status', async (t) => {
  for (const [reason, status, code] of [
    ['bad-request', undefined, 'BadRequest'],
    ['unknown-caller', 407, 'ProxyAuthenticationRequired'],
    ['bad-request', 431, 'RequestHeaderFieldsTooLarge'],
    ['bad-request', 408, 'RequestTimeout'],
    ['unknown-resource', undefined, 'ResourceNotFound'],
    ['unknown-caller', undefined, 'NetworkSecurityPerimeterDenied'],
    ['limit', undefined, 'ServerBusy'],
    ['name-mismatch', undefined, 'MisdirectedRequest'],
    ['internal-error', undefined, 'InternalError'],
    ['dns-failed', undefined, 'BadGateway'],
    ['dns-timeout', undefined, 'GatewayTimeout'],
    ['bad-request', 418, 'InternalError'],
  ] as const) {
    const refusal: Refusal = {
      reason,
      correlationId,
      html: false,
      ...(status === undefined ? {} : { status }),
    }
    const rendered = renderRefusal(refusal)
    t.equal(rendered.status, status ?? statusOf(reason), reason)
    t.equal(headersOf(rendered.headers)['x-ms-error-code'], code, `${reason} ${status ?? ''}`)
    t.match(JSON.parse(rendered.body.toString()), { error: { code, innererror: { reason } } })
  }
})

void t.test('a limit asks to come again', async (t) => {
  const { headers } = renderRefusal({ reason: 'limit', correlationId, html: false })
  t.equal(headersOf(headers)['retry-after'], '1')
})

void t.test('our own workload learns what would let it through', async (t) => {
  const hint = { destination: 'api.example:443', profile: 'web', rule: '{ name: api-example }' }
  const { body } = renderRefusal({ reason: 'no-matching-rule', correlationId, html: false, hint })
  const { error } = JSON.parse(body.toString()) as { error: { innererror: unknown } }
  t.same(error.innererror, {
    reason: 'no-matching-rule',
    correlationId,
    destination: 'api.example:443',
    profile: 'web',
    suggestedRule: '{ name: api-example }',
  })
})

void t.test('a page holds the same facts, escaped, and can run nothing', async (t) => {
  const { headers, body } = renderRefusal({
    reason: 'no-matching-rule',
    correlationId,
    html: true,
    message: `<script>alert("x")</script> & 'y'`,
    hint: { destination: '<b>:443', profile: '"web"', rule: '- { a: <i> }' },
  })
  const page = body.toString()
  t.match(
    page,
    /^<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>403 Forbidden</,
  )
  t.match(
    page,
    /<h1>403 Forbidden<\/h1>\n<p>&#60;script&#62;.*\.<\/p>\n<dl>.*<\/dl>\n<p>Give the cor/,
  )
  t.notMatch(page, /<script|<b>|<i>|"web"|& /)
  for (const fact of ['403 Forbidden', 'NetworkSecurityPerimeterDenied', 'no-matching-rule']) {
    t.ok(page.includes(fact), fact)
  }
  t.ok(page.includes(correlationId))
  t.ok(page.includes('&#60;b&#62;:443'))
  const found = headersOf(headers)
  t.equal(found['content-type'], 'text/html; charset=utf-8')
  t.match(found['content-security-policy'], /^default-src 'none'/)
  t.equal(found['x-content-type-options'], 'nosniff')
  t.equal(found['referrer-policy'], 'no-referrer')
  t.equal(found['content-length'], String(body.length))
})

void t.test(
  'renderRawRefusal is one whole HTTP/1.1 response that ends the connection',
  async (t) => {
    const raw = renderRawRefusal({ reason: 'bad-request', correlationId, html: false }).toString()
    const [head = '', body = ''] = raw.split('\r\n\r\n')
    const [statusLine, ...fields] = head.split('\r\n')
    t.equal(statusLine, 'HTTP/1.1 400 Bad Request')
    t.ok(fields.includes('connection: close'))
    t.ok(fields.includes(`content-length: ${body.length}`))
    t.match(JSON.parse(body), { error: { code: 'BadRequest' } })
  },
)

void t.test('status lines', async (t) => {
  for (const [reason, want] of [
    ['no-matching-rule', '403 Forbidden'],
    ['unknown-resource', '404 Not Found'],
    ['name-mismatch', '421 Misdirected Request'],
    ['internal-error', '500 Internal Server Error'],
    ['dns-failed', '502 Bad Gateway'],
    ['limit', '503 Service Unavailable'],
    ['dns-timeout', '504 Gateway Timeout'],
  ] as const) {
    const raw = renderRawRefusal({ reason, correlationId, html: false }).toString()
    t.equal(raw.slice(0, raw.indexOf('\r\n')), `HTTP/1.1 ${want}`)
  }
})

void t.test('a correlation id that is not ours cannot split the response', async (t) => {
  const raw = renderRawRefusal({
    reason: 'bad-request',
    correlationId: 'a\r\nset-cookie: b=c\r\n\r\n',
    html: false,
  }).toString()
  t.notMatch(raw, /^set-cookie/m)
  t.match(raw, /^x-ms-request-id: aset-cookiebc\r$/m)
})
