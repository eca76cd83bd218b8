import t from 'tap'
import type { AccessRecord } from '../../src/audit/record.ts'
import { ask, type Question, type Reply, ways } from '../support/ask.ts'
import { createAuthority } from '../support/certificates.ts'
import { closedShop, openShop, startInbound } from '../support/inbound-world.ts'
import { readBody, startOrigin } from '../support/origin.ts'
import { guidFor, type InForceParts, testSubscription } from '../support/settings-parts.ts'

/**
 * One request asked in HTTP/1.1 through the relay, in HTTP/1.1 through the library and in HTTP/2: the same decision, the
 * same record, the same answer, and the same message at the back end.
 */

const authority = createAuthority()
t.teardown(() => authority.remove())
const shown = authority.issue('orders.test')
const tls = { certificateFile: shown.certificateFile, keyFile: shown.keyFile }
const listener = { name: 'public', tls }
const partner = '22222222-2222-2222-2222-222222222222'

interface Case {
  readonly note: string
  readonly parts?: (backend: string) => InForceParts
  readonly question?: Question
  readonly status: number
  /** Of the decision. */
  readonly reason: string
  readonly detail?: string
}

const trusting = (backend: string): InForceParts => ({
  ...openShop(backend),
  headersTrustedFrom: ['127.0.0.0/8'],
  perimeters: [
    {
      name: 'shop',
      profiles: [
        {
          name: 'web',
          accessRules: [{ name: 'partner', subscriptions: [partner] }],
        },
      ],
      associations: [{ resource: 'orders' }],
    },
  ],
})

const cases: readonly Case[] = [
  { note: 'GET', status: 200, reason: 'access-rule' },
  { note: 'HEAD', question: { method: 'HEAD' }, status: 200, reason: 'access-rule' },
  {
    note: 'a path with everything',
    question: { path: '/a/../b%2f//;x?y=%20&z' },
    status: 200,
    reason: 'access-rule',
  },
  {
    note: 'POST with a length',
    question: { method: 'POST', body: 'hello' },
    status: 200,
    reason: 'access-rule',
  },
  {
    note: 'PUT without a length',
    question: { method: 'PUT', body: 'hello', isStreamed: true },
    status: 200,
    reason: 'access-rule',
  },
  {
    note: 'DELETE with a body',
    question: { method: 'DELETE', body: 'hello', isStreamed: true },
    status: 200,
    reason: 'access-rule',
  },
  { note: 'no content', question: { path: '/204' }, status: 204, reason: 'access-rule' },
  { note: 'not modified', question: { path: '/304' }, status: 304, reason: 'access-rule' },
  { note: 'a redirect', question: { path: '/302' }, status: 302, reason: 'access-rule' },
  {
    note: 'an error of the back end',
    question: { path: '/500' },
    status: 500,
    reason: 'access-rule',
  },
  {
    note: 'forged fields',
    question: {
      fields: [
        ['x-nsp-subscription-id', testSubscription],
        ['x_nsp_perimeter_id', guidFor('shop')],
        ['x-forwarded-for', '203.0.113.1'],
        ['forwarded', 'for=203.0.113.1'],
        ['x-ringfence-correlation-id', 'forged'],
        ['proxy-authorization', 'secret'],
        ['proxy', 'http://evil.test'],
        ['x-kept', '1'],
      ],
    },
    status: 200,
    reason: 'access-rule',
  },
  {
    note: 'nobody is let in',
    parts: closedShop,
    question: { method: 'POST', body: 'hello' },
    status: 403,
    reason: 'no-matching-rule',
  },
  {
    note: 'a page for a person',
    parts: closedShop,
    question: { fields: [['accept', 'text/html']] },
    status: 403,
    reason: 'no-matching-rule',
  },
  {
    note: 'a host that nobody knows',
    question: { host: 'other.test' },
    status: 404,
    reason: 'unknown-resource',
  },
  {
    note: 'a believed subscription',
    parts: trusting,
    question: { fields: [['x-nsp-subscription-id', partner]] },
    status: 200,
    reason: 'access-rule',
  },
  {
    note: 'a subscription that nobody vouches for',
    parts: (backend) => ({ ...trusting(backend), headersTrustedFrom: [] }),
    question: { fields: [['x-nsp-subscription-id', partner]] },
    status: 403,
    reason: 'no-matching-rule',
  },
  {
    note: 'two subscriptions',
    parts: trusting,
    question: {
      fields: [
        ['x-nsp-subscription-id', partner],
        ['x-nsp-subscription-id', testSubscription],
      ],
    },
    status: 400,
    reason: 'bad-request',
    detail: 'several subscription headers',
  },
  {
    note: 'a private network',
    parts: (backend) => ({
      ...closedShop(backend),
      inbound: [{ ...listener, network: 'private', clients: ['127.0.0.0/8'] }],
    }),
    status: 200,
    reason: 'private-endpoint',
  },
  {
    note: 'a proxy that says where from',
    parts: (backend) => ({
      ...openShop(backend),
      inbound: [{ ...listener, trustedProxies: ['127.0.0.0/8'] }],
    }),
    question: { fields: [['x-forwarded-for', '203.0.113.1, 127.0.0.9']] },
    status: 403,
    reason: 'no-matching-rule',
  },
  {
    note: 'a fragment',
    question: { path: '/a#b' },
    status: 400,
    reason: 'bad-request',
    detail: 'target holds characters that do not belong there',
  },
  {
    note: 'an expectation that nobody meets',
    question: { fields: [['expect', 'the-best']] },
    status: 400,
    reason: 'bad-request',
    detail: 'unknown expectation',
  },
  {
    note: 'a framing field in disguise',
    question: { fields: [['content_length', '5']] },
    status: 400,
    reason: 'bad-request',
    detail: 'framing header in another spelling',
  },
  {
    note: 'too many fields',
    parts: (backend) => openShop(backend, { limits: { headerCount: 10 } }),
    question: { fields: Array.from({ length: 10 }, (_, index) => [`x-${index}`, '1'] as const) },
    status: 431,
    reason: 'bad-request',
    detail: 'too many header lines',
  },
  {
    note: 'a back end that is not there',
    parts: () => openShop('http://127.0.0.1:1'),
    status: 502,
    reason: 'access-rule',
  },
]

interface Outcome {
  readonly reply: Reply
  readonly records: readonly unknown[]
  readonly seen: unknown
}

for (const { note, parts = openShop, question = {}, status, reason, detail } of cases) {
  void t.test(note, async (t) => {
    const origin = await startOrigin((request, response) => {
      void readBody(request).then((body) => {
        const known = /^\/([0-9]{3})$/.exec(request.url ?? '')
        if (known !== null) response.statusCode = Number(known[1])
        if (response.statusCode === 302) response.setHeader('location', '/elsewhere')
        response.setHeader('set-cookie', ['a=1', 'b=2'])
        response.end(`${request.method} ${body.toString()}`)
      })
    })
    t.teardown(() => origin.close())
    const outcomes: Outcome[] = []
    for (const { protocol, lane } of ways) {
      origin.forget()
      const given = { inbound: [listener], ...parts(origin.url), lane }
      const world = await startInbound(t, given, { pem: shown })
      const where = { ...world, ca: authority.ca, servername: 'orders.test' }
      const reply = await ask(protocol, where, question)
      await world.quiet()
      t.strictSame(world.complaints, [])
      outcomes.push({
        reply,
        records: world.records.map(recordWords),
        seen: origin.seen.map(seenOf),
      })
    }
    const [first, ...others] = outcomes
    t.equal(first?.reply.status, status)
    t.match(first?.records[0], { reason, detail })
    for (const other of others) t.strictSame(other, first)
  })
}

/** All of a record but what belongs to a moment. */
function recordWords({ decision, source, ...record }: AccessRecord): unknown {
  const { effect, category, rule, resource } = decision
  return {
    effect,
    reason: decision.reason,
    category,
    rule,
    resource: resource?.id.name,
    address: source?.ipAddress,
    protocol: source?.protocol,
    subscriptions: source?.subscriptions,
    correlationId: record.correlationId,
    operationName: record.operationName,
    serviceFqdn: record.serviceFqdn,
    removedHeaders: record.removedHeaders.map((name) => name.toLowerCase()),
    detail: record.detail,
    closeReason: record.end?.closeReason,
    bytesIn: record.end?.bytesIn,
  }
}

/** What a back end sees: the order of Host and framing among the fields is not looked at. */
function seenOf({
  method,
  url,
  rawHeaders,
}: {
  method: string
  url: string
  rawHeaders: readonly string[]
}): unknown {
  const fields = rawHeaders
    .flatMap((name, index) =>
      index % 2 === 0 ? [`${name.toLowerCase()}: ${rawHeaders[index + 1]}`] : [],
    )
    .filter((field) => !field.startsWith('connection:'))
    .toSorted()
  return { method, url, fields }
}
