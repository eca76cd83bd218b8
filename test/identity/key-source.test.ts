import t from 'tap'
import { createKeySource } from '../../src/identity/key-source.ts'
import type { KeysAtUrl } from '../../src/identity/token-issuer.ts'
import { createIssuerKey, type IssuerKey, jwksOf } from '../support/tokens.ts'

const first = createIssuerKey('first')
const second = createIssuerKey('second')

const at: KeysAtUrl = {
  kind: 'url',
  url: 'https://issuer.test/keys',
  refreshMs: 1000,
  outageMs: 5000,
  intervalMs: 300,
}

void t.test(
  'keys are fetched when they are first needed, once for all who need them',
  async (t) => {
    const { source, issuer, kids } = fetched()
    t.equal(issuer.asked, 0)
    const all = await Promise.all([source.current(), source.current(), source.renew()])
    t.equal(issuer.asked, 1)
    t.same(all.map(kids), ['first', 'first', 'first'])
    t.equal(source.current(), all[0], 'and then they are here, the same as before')
  },
)

void t.test(
  'an issuer that is down at the start is asked again, but not by everybody',
  async (t) => {
    const { source, issuer, pass, kids } = fetched()
    issuer.answer = new Error('down')
    t.equal(await source.current(), undefined)
    t.equal(await source.current(), undefined)
    t.equal(issuer.asked, 1)
    t.same(issuer.problems, ['down'])
    pass(300)
    issuer.answer = [first]
    t.equal(kids(await source.current()), 'first')
  },
)

void t.test(
  'an issuer that is down for long is tried every 5 s, whatever the interval',
  async (t) => {
    const { source, issuer, pass } = fetched({ intervalMs: 60_000 })
    issuer.answer = new Error('down')
    await source.current()
    pass(4999)
    await source.current()
    t.equal(issuer.asked, 1)
    pass(1)
    await source.current()
    t.equal(issuer.asked, 2)
  },
)

void t.test('old keys are used while new ones are fetched', async (t) => {
  const { source, issuer, pass, kids } = fetched()
  await source.current()
  pass(999)
  t.equal(kids(await source.current()), 'first')
  t.equal(issuer.asked, 1)
  pass(1)
  issuer.answer = [second]
  const old = source.current()
  t.notOk(old instanceof Promise, 'nobody waits')
  t.equal(kids(await old), 'first')
  t.equal(issuer.asked, 2)
  await source.renew()
  t.equal(kids(await source.current()), 'second')
})

void t.test('keys outlive the outage of their issuer for a time, and no longer', async (t) => {
  const { source, issuer, pass, kids } = fetched()
  await source.current()
  issuer.answer = new Error('down')
  pass(5999)
  t.equal(kids(await source.current()), 'first')
  pass(1)
  t.equal(await source.current(), undefined)
  pass(300)
  issuer.answer = [second]
  t.equal(kids(await source.current()), 'second')
})

void t.test('whatever tokens ask for, an issuer is asked once an interval', async (t) => {
  const { source, issuer, pass, kids } = fetched()
  await source.current()
  t.equal(await source.renew(), undefined)
  pass(299)
  t.equal(await source.renew(), undefined)
  t.equal(issuer.asked, 1)
  pass(1)
  issuer.answer = [first, second]
  t.equal(kids(await source.renew()), 'first second')
  t.equal(issuer.asked, 2)
})

void t.test('an answer without keys leaves those that there are', async (t) => {
  const { source, issuer, pass, kids } = fetched()
  await source.current()
  pass(1000)
  issuer.answer = []
  await source.renew()
  t.equal(kids(await source.current()), 'first')
  t.same(issuer.problems, ['the answer holds no usable keys'])
})

void t.test('keys from a file are here, and nothing renews them', async (t) => {
  const keys = [{ kty: 'RSA', n: 'n', e: 'e' }]
  const source = createKeySource(
    { kind: 'file', keys },
    {
      fetchJwks: async () => t.fail('nobody is asked').toString(),
      now: () => 0,
      onProblem: () => {},
    },
  )
  t.equal(source.current(), keys)
  t.equal(await source.renew(), undefined)
})

function fetched(more: Partial<KeysAtUrl> = {}) {
  let now = 1_000_000
  const issuer: { asked: number; answer: readonly IssuerKey[] | Error; problems: string[] } = {
    asked: 0,
    answer: [first],
    problems: [],
  }
  const source = createKeySource(
    { ...at, ...more },
    {
      async fetchJwks(url) {
        t.equal(url, at.url)
        issuer.asked++
        if (issuer.answer instanceof Error) throw issuer.answer
        return jwksOf(...issuer.answer)
      },
      now: () => now,
      onProblem: (_, error) => issuer.problems.push(error instanceof Error ? error.message : ''),
    },
  )
  return {
    source,
    issuer,
    pass: (ms: number) => (now += ms),
    kids: (keys: readonly { readonly kid?: string }[] | undefined) =>
      keys?.map(({ kid }) => kid).join(' '),
  }
}
