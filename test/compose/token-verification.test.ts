import t from 'tap'
import { createTokenVerification } from '../../src/compose/token-verification.ts'
import type { TokenIssuer } from '../../src/settings/settings.ts'
import { holdInForce } from '../support/in-force.ts'
import { resourceId } from '../support/settings-parts.ts'
import { claimsOf, createIssuerKey, issuerOf, jwksOf, signToken } from '../support/tokens.ts'

const key = createIssuerKey('one')
const token = signToken(key, claimsOf(resourceId('orders').text))
const url = 'https://issuer.test/keys'
const keys = { kind: 'url', url, refreshMs: 1e6, outageMs: 1e6, intervalMs: 1000 } as const
const atUrl = issuerOf([], { keys })

function world(issuers: readonly TokenIssuer[] | undefined) {
  const partsOf = (listed: readonly TokenIssuer[] | undefined) =>
    listed === undefined ? {} : { tokens: { header: 'authorization', issuers: listed } }
  const held = holdInForce(partsOf(issuers))
  const warnings: unknown[] = []
  const asked = { count: 0, isDown: false }
  const verify = createTokenVerification({
    currentInForce: held.current,
    async fetchJwks() {
      asked.count++
      if (asked.isDown) throw new Error('nobody is there')
      return jwksOf(key)
    },
    log: { warn: (...words: unknown[]) => warnings.push(words) },
    now: Date.now,
    monotonicNow: () => performance.now(),
  })
  return {
    verify,
    asked,
    warnings,
    swap: (next: readonly TokenIssuer[] | undefined) => held.swap(partsOf(next)),
  }
}

void t.test('without issuers in force nobody is trusted', async (t) => {
  const { verify } = world(undefined)
  t.match(verify(token), { kind: 'nothing', note: 'token of an issuer that is not trusted' })
})

void t.test('a reload with the same issuers keeps what was verified', async (t) => {
  const { verify, swap, asked } = world([atUrl])
  const found = await verify(token)
  t.equal(found.kind, 'proof')
  swap([{ ...atUrl }])
  t.equal(verify(token), found)
  t.equal(asked.count, 1)
})

void t.test('a reload with others begins with nothing verified, and keeps the keys', async (t) => {
  const { verify, swap, asked } = world([atUrl])
  await verify(token)
  asked.isDown = true
  swap([atUrl, issuerOf([key], { issuer: 'https://other.test/', speaker: 'other' })])
  const again = verify(token)
  t.ok(again instanceof Promise)
  t.equal((await again).kind, 'proof')
  t.equal(asked.count, 1, 'although nobody could be asked')
})

void t.test('an issuer that a reload takes away is nobody at once', async (t) => {
  const { verify, swap, asked } = world([atUrl])
  await verify(token)
  swap([issuerOf([key], { issuer: 'https://other.test/', speaker: 'other' })])
  t.match(await verify(token), { note: 'token of an issuer that is not trusted' })
  swap([atUrl])
  t.equal((await verify(token)).kind, 'proof')
  t.equal(asked.count, 2, 'and keys that nobody named meanwhile were forgotten')
})

void t.test('an issuer that cannot be asked is told in the log, and no token is', async (t) => {
  const { verify, asked, warnings } = world([atUrl])
  asked.isDown = true
  t.match(await verify(token), { note: 'token of an issuer whose keys are not known' })
  t.same(warnings, [[{ url, why: 'nobody is there' }, 'the keys of an issuer cannot be fetched']])
})
