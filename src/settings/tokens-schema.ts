import {
  choice,
  defaulted,
  integer,
  list,
  object,
  optional,
  required,
  text,
} from '../documents/shape.ts'
import { hours, minutes, seconds } from '../units.ts'

/** The part of the settings' declaration about tokens, and the kinds of text that it shares with the rest. */

export const path = text({ pattern: '^[^\\u0000]+$', says: 'a path' })

/** Beyond this, timers of Node.js fire at once: a time-out would be none at all. */
const maxTimerMs = 2_147_483_647
export const durationMs = integer({ minimum: 1, maximum: maxTimerMs, unit: 'milliseconds' })

/** What is compared sign by sign. */
export const plainText = text({ pattern: '^[!-~]+$', says: 'printable ASCII without spaces' })

export const headerName = text({
  pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
  says: 'the name of a header',
  maxLength: 128,
})

/** As in `identity/token-issuer.ts`: never `none`, and never one whose key both sides share. */
const tokenAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

const tokenIssuer = object({
  issuer: required(plainText, 'the `iss` of its tokens, sign by sign'),
  audiences: defaulted(list(plainText), {
    default: [],
    description:
      'whom its tokens must be made for (`aud`) to count at resources that have no `audience` of their own',
  }),
  algorithms: defaulted(list(choice(tokenAlgorithms), { minItems: 1 }), {
    default: ['RS256'],
    description: 'what it signs with',
  }),
  jwksUrl: optional(
    text(),
    'where its public keys are: `https:`, or `http:` on a loopback address; redirects are not followed',
  ),
  jwksFile: optional(
    path,
    'instead of `jwksUrl`: JSON Web Key Set, relative to this file; watched like the policy',
  ),
  perimeters: defaulted(list(text()), {
    default: [],
    description: 'GUIDs of the perimeters that it may speak for; others in its tokens do not count',
  }),
  subscriptions: defaulted(list(text()), {
    default: [],
    description:
      'subscriptions that it may speak for; a token of an identity in another one counts for nothing',
  }),
  clockToleranceMs: defaulted(integer({ minimum: 0, maximum: minutes(5), unit: 'milliseconds' }), {
    default: seconds(30),
    description:
      'how far its clock may be ahead, for tokens that are not valid yet; `exp` is taken to the second',
  }),
  jwksRefreshMs: defaulted(durationMs, {
    default: hours(1),
    description: 'after so long, keys are fetched anew while the old ones are used',
  }),
  jwksOutageMs: defaulted(durationMs, {
    default: hours(24),
    description: 'how much longer keys count that cannot be fetched anew; then no token does',
  }),
  jwksIntervalMs: defaulted(durationMs, {
    default: seconds(30),
    description: 'between two fetches, however many tokens name an unknown key',
  }),
})

export const tokens = object({
  header: defaulted(headerName, {
    default: 'authorization',
    description:
      'the header that carries them, `Bearer` in front; one of their own is removed before the back end and leaves `Authorization` to it',
  }),
  issuers: required(list(tokenIssuer, { minItems: 1 }), 'whose tokens are verified'),
})
