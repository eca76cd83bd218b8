import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { type Authority, createAuthority, type Issued } from '../../src/certificates/authority.ts'
import { type Certified, findPath, readCertified } from '../../src/identity/certificate-path.ts'
import { pemBlocks } from '../../src/wire/pem.ts'
import { readRevocationList, type RevocationList } from '../../src/wire/revocation-list.ts'

const hour = 3_600_000
const now = Date.now()
const validity = { from: new Date(now - hour), until: new Date(now + 24 * hour) }
const soon = new Date(Math.floor((now + 2 * hour) / 1000) * 1000)

function certified(pem: string): Certified {
  const read = readCertified(new X509Certificate(pem).raw)
  if (read === undefined) throw new Error('no certificate')
  return read
}

function lists(...texts: readonly string[]): readonly RevocationList[] {
  return texts.flatMap((text) =>
    pemBlocks(text, 'X509 CRL').map(({ der }) => {
      const list = readRevocationList(der)
      if (typeof list === 'string') throw new Error(list)
      return list
    }),
  )
}

function trust(name: string, authority: Authority, revocations?: readonly RevocationList[]) {
  return { name, certificates: [certified(authority.certificate)], lists: revocations }
}

const root = await createAuthority('root', validity)
const other = await createAuthority('other', validity)
const below = await root.issueAuthority('below')
const deeper = await below.issueAuthority('deeper')

async function issue(
  by: Authority,
  more: Partial<Parameters<Authority['issue']>[0]> = {},
): Promise<Issued> {
  return by.issue({ commonName: 'a', alternativeNames: [], ...more })
}

const leaf = await issue(root)
const leafBelow = await issue(below)
const chainOf = (...pems: readonly string[]): readonly Certified[] => pems.map(certified)

void t.test('findPath finds the nearest that settings name', async (t) => {
  const authorities = [trust('root', root), trust('other', other)]
  const given = { authorities, maxDepth: 2, now }
  const cases = [
    { note: 'right below it', chain: chainOf(leaf.certificate), want: 'root' },
    { note: 'of another', chain: chainOf((await issue(other)).certificate), want: 'other' },
    {
      note: 'two authorities below, in no order',
      chain: chainOf((await issue(deeper)).certificate, below.certificate, deeper.certificate),
      want: 'root',
    },
  ]
  for (const { note, chain, want } of cases) {
    const found = findPath(chain, given)
    t.equal(found.kind === 'found' ? found.authority.name : found.note, want, note)
    t.equal(found.kind === 'found' && found.expiresAt > now, true)
  }
  const both = findPath(chainOf(leafBelow.certificate, below.certificate), {
    ...given,
    authorities: [...authorities, trust('below', below)],
  })
  t.equal(both.kind === 'found' && both.authority.name, 'below', 'the nearest of two')
})

void t.test('findPath says why there is none', async (t) => {
  const authorities = [trust('root', root)]
  const expired = new Date(now - 1000)
  const impostor = await createAuthority('root', validity)
  const cases: readonly {
    readonly note: string
    readonly chain: readonly Certified[]
    readonly maxDepth?: number
    readonly says: RegExp
  }[] = [
    { note: 'nothing', chain: [], says: /no client certificate/ },
    { note: 'a stranger', chain: chainOf((await issue(other)).certificate), says: /unknown/ },
    {
      note: 'by the name alone',
      chain: chainOf((await issue(impostor)).certificate),
      says: /unknown/,
    },
    {
      note: 'what stands between is missing',
      chain: chainOf(leafBelow.certificate),
      says: /unknown/,
    },
    {
      note: 'one more above than allowed',
      chain: chainOf((await issue(deeper)).certificate, deeper.certificate, below.certificate),
      maxDepth: 1,
      says: /too many/,
    },
    {
      note: 'none above allowed',
      chain: chainOf(leafBelow.certificate, below.certificate),
      maxDepth: 0,
      says: /too many/,
    },
    {
      note: 'expired',
      chain: chainOf((await issue(root, { validity: { until: expired } })).certificate),
      says: /has expired/,
    },
    {
      note: 'of the future',
      chain: chainOf((await issue(root, { validity: { from: soon } })).certificate),
      says: /of the future/,
    },
    { note: 'the authority itself', chain: chainOf(other.certificate), says: /unknown/ },
  ]
  for (const { note, chain, maxDepth = 3, says } of cases) {
    const found = findPath(chain, { authorities, maxDepth, now })
    t.match(found.kind === 'none' ? found.note : 'found', says, note)
  }
})

void t.test(
  'findPath: a chain that leads to a wide authority by names alone leads nowhere',
  async (t) => {
    // The narrow authority signs; the client puts a certificate in between that has its name and the wide one's as issuer.
    const narrow = await createAuthority('narrow', validity)
    const forgedRoot = await createAuthority('root', validity)
    const forged = await forgedRoot.issueAuthority('narrow')
    const chain = chainOf((await issue(narrow)).certificate, forged.certificate)
    const authorities = [trust('wide', root), trust('narrow', narrow)]
    const found = findPath(chain, { authorities, maxDepth: 3, now })
    t.equal(found.kind === 'found' && found.authority.name, 'narrow')
    const alone = findPath(chain, { authorities: [trust('wide', root)], maxDepth: 3, now })
    t.match(alone, { kind: 'none', note: /unknown/ })
  },
)

void t.test('findPath: a certificate of a client signs nobody', async (t) => {
  // Its key is put where an authority's should be, under its own name.
  const name = await createAuthority('leaf', validity)
  const below = await issue(name)
  const chain = chainOf(below.certificate, leaf.certificate, name.certificate)
  const found = findPath(chain, { authorities: [trust('root', root)], maxDepth: 3, now })
  t.match(found, { kind: 'none', note: /unknown/ })
})

void t.test('findPath holds each against the list of whoever signed it', async (t) => {
  const good = lists(await root.revoke([]), await below.revoke([]))
  const chain = chainOf(leafBelow.certificate, below.certificate)
  const serialOf = (pem: string): string => new X509Certificate(pem).serialNumber
  const past = { from: new Date(now - 2 * hour), until: new Date(now - hour) }
  const cases: readonly {
    readonly note: string
    readonly revocations: readonly RevocationList[] | undefined
    readonly says: RegExp
  }[] = [
    { note: 'nobody asks', revocations: undefined, says: /found/ },
    { note: 'nobody is revoked', revocations: good, says: /found/ },
    { note: 'no list at all', revocations: [], says: /without a list/ },
    {
      note: 'no list of the one below',
      revocations: lists(await root.revoke([])),
      says: /without a list/,
    },
    {
      note: 'no list of the one above',
      revocations: lists(await below.revoke([])),
      says: /without a list/,
    },
    {
      note: 'its own is revoked',
      revocations: lists(
        await root.revoke([]),
        await below.revoke([serialOf(leafBelow.certificate)]),
      ),
      says: /is revoked/,
    },
    {
      note: 'the one above is revoked',
      revocations: lists(await root.revoke([serialOf(below.certificate)]), await below.revoke([])),
      says: /is revoked/,
    },
    {
      note: 'the list has expired',
      revocations: lists(await root.revoke([]), await below.revoke([], past)),
      says: /has expired/,
    },
    {
      note: 'the list is of the future',
      revocations: lists(await root.revoke([]), await below.revoke([], { from: soon })),
      says: /of the future/,
    },
    {
      note: 'the newest counts',
      revocations: lists(
        await root.revoke([]),
        await below.revoke([serialOf(leafBelow.certificate)]),
        await below.revoke([], { from: new Date(now - 2 * hour) }),
      ),
      says: /is revoked/,
    },
    {
      note: 'a list by somebody of the same name',
      revocations: lists(
        await root.revoke([]),
        await (await createAuthority('below', validity)).revoke([]),
      ),
      says: /without a list/,
    },
  ]
  for (const { note, revocations, says } of cases) {
    const found = findPath(chain, {
      authorities: [trust('root', root, revocations)],
      maxDepth: 3,
      now,
    })
    t.match(found.kind === 'none' ? found.note : 'found', says, note)
  }
})

void t.test('findPath: it ends with the first that ends', async (t) => {
  const until = (found: ReturnType<typeof findPath>) => found.kind === 'found' && found.expiresAt
  const short = await issue(root, { validity: { until: soon } })
  t.equal(
    until(
      findPath(chainOf(short.certificate), {
        authorities: [trust('root', root)],
        maxDepth: 0,
        now,
      }),
    ),
    soon.getTime(),
  )
  const listed = trust('root', root, lists(await root.revoke([], { until: soon })))
  t.equal(
    until(findPath(chainOf(leaf.certificate), { authorities: [listed], maxDepth: 0, now })),
    soon.getTime(),
  )
})

void t.test(
  'findPath holds the limits of each authority against the path that it found',
  async (t) => {
    const chain = chainOf((await issue(deeper)).certificate, deeper.certificate, below.certificate)
    const limited = (index: number, parts: Partial<Certified['parts']>): readonly Certified[] =>
      chain.map((one, at) => (at === index ? { ...one, parts: { ...one.parts, ...parts } } : one))
    const one = [trust('root', root)]
    const two = [...one, trust('other', other)]
    const cases = [
      {
        note: 'none below allowed, and none there',
        chain: limited(1, { pathLength: 0 }),
        says: /found/,
      },
      {
        note: 'none below allowed, one there',
        chain: limited(2, { pathLength: 0 }),
        says: /too many/,
      },
      { note: 'one below allowed', chain: limited(2, { pathLength: 1 }), says: /found/ },
      { note: 'names', chain: limited(1, { hasNameConstraints: true }), says: /name constraints/ },
      {
        note: 'names that OpenSSL has seen to',
        chain: limited(1, { hasNameConstraints: true }),
        authorities: one,
        says: /found/,
      },
      {
        note: 'names of its own count for nothing',
        chain: limited(0, { hasNameConstraints: true }),
        says: /found/,
      },
    ]
    for (const { note, chain, authorities = two, says } of cases) {
      const found = findPath(chain, { authorities, maxDepth: 3, now })
      t.match(found.kind === 'none' ? found.note : 'found', says, note)
    }
  },
)

void t.test('findPath: what two authorities have signed alike is of neither', async (t) => {
  const found = findPath(chainOf(leaf.certificate), {
    authorities: [trust('one', root), trust('two', root)],
    maxDepth: 3,
    now,
  })
  t.match(found, { kind: 'none', note: /two authorities/ })
})
