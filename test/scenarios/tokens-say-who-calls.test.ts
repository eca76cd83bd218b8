import t from 'tap'
import { ask, type Question, ways } from '../support/ask.ts'
import { createAuthority } from '../support/certificates.ts'
import { startInbound } from '../support/inbound-world.ts'
import { startOrigin } from '../support/origin.ts'
import { guidFor, type InForceParts, resourceId } from '../support/settings-parts.ts'
import {
  bearerOf,
  issuerKey,
  partner,
  partnerApp,
  tokenShop,
  unknownPerimeter,
  vault,
} from '../support/token-shop.ts'
import { claimsOf, createIssuerKey, encode, issuerOf, macToken } from '../support/tokens.ts'

/** One request with a token, in HTTP/1.1 through the relay and the library and in HTTP/2: who calls, and what goes on. */

const authority = createAuthority()
t.teardown(() => authority.remove())
const shown = authority.issue('orders.test')
const listener = {
  name: 'public',
  tls: { certificateFile: shown.certificateFile, keyFile: shown.keyFile },
}

const stranger = resourceId('app', '33333333-3333-3333-3333-333333333333').text
const own = { header: 'x-member-token', issuers: [issuerOf([issuerKey])] }
const past = { now: Date.now() - 2 * 3_600_000 }
const future = { nbf: Math.floor(Date.now() / 1000) + 600 }
const forger = createIssuerKey(issuerKey.kid)
const rsa = createIssuerKey('rsa', 'RS256')
const rsaPem = rsa.publicKey.export({ format: 'pem', type: 'spki' }).toString()
const valid = bearerOf(vault)

interface Case {
  readonly note: string
  readonly fields: Question['fields']
  readonly host?: string
  readonly parts?: Partial<InForceParts> & Parameters<typeof tokenShop>[1]
  readonly status: number
  readonly reason: string
  readonly detail?: string
  /** Of the caller, in the record. */
  readonly resource?: string
  readonly perimeters?: readonly string[]
  readonly subscriptions?: readonly string[]
  readonly removed?: readonly string[]
  /** Fields at the back end: a value, or undefined for none. */
  readonly passed?: Readonly<Record<string, string | undefined>>
}

const denied = { status: 403, reason: 'no-matching-rule', perimeters: [], subscriptions: [] }
const authorization = (value: string): Question['fields'] => [['authorization', value]]

const cases: readonly Case[] = [
  {
    note: 'a member is one, in its perimeter, and the resource gets its Authorization',
    fields: authorization(valid),
    status: 200,
    reason: 'same-perimeter',
    resource: 'vault',
    perimeters: [guidFor('shop')],
    passed: { authorization: valid },
  },
  {
    note: 'a member has no other perimeter, whatever its token says',
    fields: authorization(bearerOf(vault, { xms_az_nwperimid: [unknownPerimeter] })),
    status: 200,
    reason: 'same-perimeter',
    perimeters: [guidFor('shop')],
  },
  {
    note: 'somebody of a subscription that a rule names',
    fields: authorization(bearerOf(partnerApp, { xms_az_nwperimid: [unknownPerimeter] })),
    status: 200,
    reason: 'access-rule',
    resource: 'app',
    perimeters: [unknownPerimeter],
    subscriptions: [partner],
  },
  {
    note: 'our perimeter in the token of somebody who is no member is void',
    fields: authorization(
      bearerOf(partnerApp, { xms_az_nwperimid: guidFor('shop'), aud: 'api://vault' }),
    ),
    host: 'vault.test',
    parts: {
      perimeters: [
        { name: 'shop', profiles: [{ name: 'web' }], associations: [{ resource: 'vault' }] },
      ],
    },
    ...denied,
    subscriptions: [partner],
  },
  { note: 'no token', fields: [], ...denied },
  {
    note: 'a token for another resource opens nothing',
    fields: authorization(valid),
    host: 'vault.test',
    ...denied,
    detail: 'proof made for others',
  },
  {
    note: 'a wrong audience',
    fields: authorization(bearerOf(vault, { aud: 'https://management.azure.com' })),
    ...denied,
    detail: 'proof made for others',
  },
  {
    note: 'expired',
    fields: authorization(bearerOf(vault, past)),
    ...denied,
    detail: 'token that has expired',
  },
  {
    note: 'not yet valid',
    fields: authorization(bearerOf(vault, future)),
    ...denied,
    detail: 'token that is not valid yet',
  },
  {
    note: 'an issuer outside its subscriptions, though the perimeter is its own',
    fields: authorization(bearerOf(stranger, { xms_az_nwperimid: [unknownPerimeter] })),
    ...denied,
    detail: 'proof of somebody who may not speak for the caller',
  },
  {
    note: 'alg: none',
    fields: authorization(`Bearer ${encode({ alg: 'none' })}.${encode(claimsOf(vault))}.AA`),
    ...denied,
    detail: 'token with an algorithm that its issuer does not use',
  },
  {
    note: 'HS256 with the public key as the secret',
    parts: { tokens: { header: 'authorization', issuers: [issuerOf([rsa])] } },
    fields: authorization(`Bearer ${macToken(rsaPem, claimsOf(vault), 'rsa')}`),
    ...denied,
    detail: 'token with an algorithm that its issuer does not use',
  },
  {
    note: 'a forged signature',
    fields: authorization(bearerOf(vault, {}, forger)),
    ...denied,
    detail: 'token whose signature is wrong',
  },
  {
    note: 'an unknown key',
    fields: authorization(bearerOf(vault, {}, createIssuerKey('nobody'))),
    ...denied,
    detail: 'token of a key that its issuer does not have',
  },
  {
    note: 'an issuer whose keys cannot be fetched',
    parts: {
      tokens: {
        header: 'authorization',
        issuers: [
          issuerOf([], {
            keys: {
              kind: 'url',
              url: 'https://issuer.test/',
              refreshMs: 1,
              outageMs: 1,
              intervalMs: 1,
            },
          }),
        ],
      },
    },
    fields: authorization(valid),
    ...denied,
    detail: 'token of an issuer whose keys are not known',
  },
  {
    note: 'malformed',
    fields: authorization('Bearer opaque'),
    ...denied,
    detail: 'token that is malformed',
  },
  {
    note: 'a token of 17 KiB',
    parts: { limits: { headerBytes: 64 * 1024 } },
    fields: authorization(`Bearer a.b.${'c'.repeat(17 * 1024)}`),
    ...denied,
    detail: 'token that is too long',
  },
  {
    note: 'a user',
    fields: authorization(bearerOf(vault, { idtyp: 'user' })),
    ...denied,
    detail: 'token of a user',
  },
  {
    note: 'a key, which says nothing',
    fields: authorization('SharedKey orders:c2lnbmF0dXJl'),
    ...denied,
  },
  {
    note: 'two of them',
    fields: [
      ['authorization', valid],
      ['authorization', valid],
    ],
    status: 400,
    reason: 'bad-request',
    detail: 'several token headers',
  },
  {
    note: 'a token and a key',
    fields: [
      ['authorization', valid],
      ['Authorization', 'SharedKey orders:c2lnbmF0dXJl'],
    ],
    status: 400,
    reason: 'bad-request',
    detail: 'several token headers',
  },
  {
    note: 'a header of our own goes no further, and Authorization stays as it is',
    parts: { tokens: own },
    fields: [
      ['authorization', 'Bearer resources'],
      ['x-member-token', valid],
    ],
    status: 200,
    reason: 'same-perimeter',
    resource: 'vault',
    passed: { authorization: 'Bearer resources', 'x-member-token': undefined },
  },
  {
    note: 'with a header of our own, Authorization says nothing',
    parts: { tokens: own },
    fields: authorization(valid),
    ...denied,
  },
  {
    note: 'another spelling of our own says nothing, and goes no further either',
    parts: { tokens: own, perimeters: openTo('127.0.0.0/8') },
    fields: [['x_member.token', valid]],
    status: 200,
    reason: 'access-rule',
    removed: ['x_member.token'],
    passed: { 'x_member.token': undefined },
  },
  {
    note: 'our own beside another spelling of it',
    parts: { tokens: own },
    fields: [
      ['x-member-token', valid],
      ['x_member_token', valid],
    ],
    status: 400,
    reason: 'bad-request',
    detail: 'several token headers',
  },
  {
    note: 'a gateway that says otherwise than the token',
    parts: { headersTrustedFrom: ['127.0.0.0/8'] },
    fields: [
      ['authorization', valid],
      ['x-nsp-subscription-id', partner],
    ],
    status: 200,
    reason: 'same-perimeter',
    removed: ['x-nsp-subscription-id'],
  },
  {
    note: 'a gateway is heard where the token says nothing',
    parts: { headersTrustedFrom: ['127.0.0.0/8'] },
    fields: [
      ['authorization', bearerOf(vault, past)],
      ['x-nsp-subscription-id', partner],
    ],
    status: 200,
    reason: 'access-rule',
    detail: 'token that has expired',
  },
  {
    note: 'a rule about addresses needs no token, and a bad one is no offence',
    parts: { perimeters: openTo('127.0.0.0/8') },
    fields: authorization('Bearer opaque'),
    status: 200,
    reason: 'access-rule',
    detail: 'token that is malformed',
    passed: { authorization: 'Bearer opaque' },
  },
]

function openTo(prefix: string): NonNullable<InForceParts['perimeters']> {
  return [
    {
      name: 'shop',
      profiles: [{ name: 'web', accessRules: [{ name: 'office', addressPrefixes: [prefix] }] }],
      associations: [{ resource: 'orders' }],
    },
  ]
}

for (const { note, fields = [], host = 'orders.test', parts = {}, ...want } of cases) {
  void t.test(note, async (t) => {
    const origin = await startOrigin()
    t.teardown(() => origin.close())
    for (const { protocol, lane } of ways) {
      origin.forget()
      const given = { ...tokenShop(origin.url, parts), inbound: [listener], lane }
      const world = await startInbound(t, given, { pem: shown })
      const where = { ...world, ca: authority.ca, servername: 'orders.test' }
      const by = `${protocol} ${lane}`
      // Twice: the second time the token has been seen.
      for (const time of ['first', 'second']) {
        const { status } = await ask(protocol, where, { host, fields })
        t.equal(status, want.status, `${by}, ${time}`)
      }
      await world.quiet()
      t.equal(origin.seen.length, want.status === 200 ? 2 : 0, by)
      for (const { decision, detail, source, removedHeaders } of world.records) {
        t.equal(decision.reason, want.reason, by)
        t.equal(detail, want.detail, by)
        t.strictSame(
          removedHeaders.map((name) => name.toLowerCase()),
          want.removed ?? [],
          by,
        )
        if (want.resource !== undefined) t.equal(source?.resourceId?.name, want.resource, by)
        if (want.perimeters !== undefined) t.strictSame(source?.perimeterGuids, want.perimeters, by)
        if (want.subscriptions !== undefined)
          t.strictSame(source?.subscriptions, want.subscriptions, by)
      }
      for (const seen of origin.seen) {
        for (const [name, value] of Object.entries(want.passed ?? {}))
          t.strictSame(seen.header(name), value === undefined ? [] : [value], `${by}: ${name}`)
      }
      const [, payload = ''] = valid.split('.')
      t.notMatch(JSON.stringify([world.records, world.complaints]), payload, 'no log has it')
    }
  })
}
