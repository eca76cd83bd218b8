import t, { type Test } from 'tap'
import { createAddressGuard } from '../../src/policy/address-guard.ts'
import {
  createResolver,
  type Resolution,
  type ResolverOptions,
} from '../../src/transport/resolve.ts'
import { PerimeterError } from '../../src/errors.ts'
import { type Hostname, parseHostname } from '../../src/wire/hostname.ts'
import {
  type Answer,
  type DnsServer,
  type Question,
  startDnsServer,
} from '../support/dns-server.ts'
import { addressOf } from './sockets.ts'

const none: Answer = {}
const noSuchName: Answer = { code: 'NXDOMAIN' }

/** Answers by `TYPE`; what is not there has no records. */
type Script = Readonly<Partial<Record<'A' | 'AAAA', Answer>>>

const answers: readonly { note: string; script: Script; want: string }[] = [
  {
    note: 'both families, IPv4 first',
    script: { A: a('20.0.0.1', '20.0.0.2'), AAAA: aaaa('2a00:0:0:0:0:0:0:1') },
    want: '20.0.0.1 20.0.0.2 2a00::1',
  },
  { note: 'IPv4 only', script: { A: a('20.0.0.1') }, want: '20.0.0.1' },
  { note: 'IPv6 only', script: { AAAA: aaaa('2a00:0:0:0:0:0:0:1') }, want: '2a00::1' },
  {
    note: 'one family while the other fails',
    script: { A: a('20.0.0.1'), AAAA: { code: 'SERVFAIL' } },
    want: '20.0.0.1',
  },
  {
    note: 'one family while the other is silent',
    script: { A: { silent: true }, AAAA: aaaa('2a00:0:0:0:0:0:0:1') },
    want: '2a00::1',
  },
  { note: 'neither family', script: {}, want: 'dns-failed' },
  { note: 'no such name', script: { A: noSuchName, AAAA: noSuchName }, want: 'dns-failed' },
  {
    note: 'a server that fails',
    script: { A: { code: 'SERVFAIL' }, AAAA: { code: 'SERVFAIL' } },
    want: 'dns-failed',
  },
  {
    note: 'a server that refuses',
    script: { A: { code: 'REFUSED' }, AAAA: { code: 'REFUSED' } },
    want: 'dns-failed',
  },
  {
    note: 'no answer at all',
    script: { A: { silent: true }, AAAA: { silent: true } },
    want: 'dns-timeout',
  },
  {
    note: 'no record of one family, nothing of the other',
    script: { AAAA: { silent: true } },
    want: 'dns-timeout',
  },
  {
    note: 'an alias',
    script: {
      A: {
        records: [
          { type: 'CNAME', value: 'real.example' },
          { owner: 'real.example', type: 'A', value: '20.0.0.9' },
        ],
      },
    },
    want: '20.0.0.9',
  },
  {
    note: 'an alias that leads nowhere is followed by nobody',
    script: { A: { records: [{ type: 'CNAME', value: 'real.example' }] } },
    want: 'dns-failed',
  },
  {
    note: 'aliases that lead round in circles',
    script: {
      A: {
        records: [
          { type: 'CNAME', value: 'b.example' },
          { owner: 'b.example', type: 'CNAME', value: 'a.example' },
        ],
      },
    },
    want: 'dns-failed',
  },
  {
    note: 'sixteen addresses of a family and no more',
    script: {
      A: a(...Array.from({ length: 40 }, (_, index) => `20.0.0.${index}`)),
    },
    want: Array.from({ length: 16 }, (_, index) => `20.0.0.${index}`).join(' '),
  },
  {
    note: 'an IPv4-mapped IPv6 address is the IPv4 address',
    script: { AAAA: aaaa('0:0:0:0:0:ffff:a00:1') },
    want: '10.0.0.1',
  },
  {
    note: 'public and private mixed, for the guard to judge',
    script: { A: a('20.0.0.1', '10.0.0.1') },
    want: '20.0.0.1 10.0.0.1',
  },
  {
    note: 'bytes that are no answer',
    script: { A: { raw: Buffer.from('nonsense') }, AAAA: { raw: Buffer.alloc(0) } },
    want: 'dns-failed',
  },
  {
    note: 'an answer that breaks off',
    script: {
      A: { raw: Buffer.from('818000010001000000000161076578616d706c650000010001c00c0001', 'hex') },
      AAAA: none,
    },
    want: 'dns-failed',
  },
]

void t.test('createResolver: what servers say', async (t) => {
  for (const { note, script, want } of answers) {
    await t.test(note, async (t) => {
      const { resolve } = await resolving(t, { respond: ({ type }) => script[type] ?? none })
      const got = shown(await resolve('a.example'))
      t.equal(got, want)
    })
  }
})

const asWritten = ['a.example', 'localhost', 'db.localhost', 'single', 'xn--bcher-kva.example']

void t.test('createResolver: asks for names as they are, and nobody else', async (t) => {
  // What would otherwise be searched in, should anything look there.
  process.env['LOCALDOMAIN'] = 'search.example'
  t.teardown(() => delete process.env['LOCALDOMAIN'])
  for (const name of asWritten) {
    const { resolve, server } = await resolving(t, { respond: () => noSuchName })
    t.equal(
      shown(await resolve(name)),
      'dns-failed',
      `${name}: neither the hosts file nor a guess answers`,
    )
    t.same(server.questions.toSorted(), [`A ${name}`, `AAAA ${name}`], 'no search list')
  }
})

void t.test('createResolver: fixed answers come first, and are never asked for', async (t) => {
  const { resolve, server } = await resolving(t, {
    respond: () => a('20.0.0.1'),
    hosts: new Map([[nameOf('fixed.example'), [addressOf('10.0.0.7')]]]),
  })
  t.equal(shown(await resolve('fixed.example')), '10.0.0.7')
  t.same(server.questions, [])
  t.equal(shown(await resolve('other.example')), '20.0.0.1')
})

void t.test('createResolver: time is bounded', async (t) => {
  await t.test('for a server that is silent', async (t) => {
    const { resolve } = await resolving(t, { respond: () => ({ silent: true }), timeoutMs: 300 })
    const started = performance.now()
    t.equal(shown(await resolve('a.example')), 'dns-timeout')
    const took = performance.now() - started
    t.ok(took > 250 && took < 2000, `${took.toFixed()} ms`)
  })

  await t.test('for those that wait for their turn', async (t) => {
    const { resolve, server } = await resolving(t, {
      respond: () => ({ silent: true }),
      timeoutMs: 200,
      concurrency: 1,
    })
    const both = await Promise.all([resolve('a.example'), resolve('b.example')])
    t.same(both.map(shown), ['dns-timeout', 'dns-timeout'])
    t.notOk(server.questions.some((question) => question.endsWith('b.example')))
  })

  await t.test('beyond those that may wait, at once', async (t) => {
    const { resolve, server } = await resolving(t, {
      respond: () => ({ silent: true }),
      timeoutMs: 400,
      concurrency: 1,
      maxWaiting: 2,
    })
    const kept = ['a.example', 'b.example', 'c.example'].map((name) => resolve(name))
    const started = performance.now()
    t.equal(shown(await resolve('d.example')), 'dns-timeout')
    t.ok(performance.now() - started < 200, 'nobody waited')
    const shared = resolve('c.example')
    t.same((await Promise.all([...kept, shared])).map(shown), Array(4).fill('dns-timeout'))
    t.notOk(server.questions.some((question) => question.endsWith('d.example')))
  })

  await t.test('a lost datagram is sent again', async (t) => {
    let lost = 0
    const { resolve } = await resolving(t, {
      respond: ({ type }) => (type === 'A' && lost++ === 0 ? { silent: true } : a('20.0.0.1')),
      timeoutMs: 1500,
    })
    t.equal(shown(await resolve('a.example')).split(' ')[0], '20.0.0.1')
  })
})

void t.test('createResolver: bounds how many names are asked for at a time', async (t) => {
  let asked = 0
  let most = 0
  const { resolve } = await resolving(t, {
    respond: ({ type }) => {
      if (type === 'AAAA') return none
      asked++
      most = Math.max(most, asked)
      setTimeout(() => asked--, 15)
      return { ...a('20.0.0.1'), delayMs: 20 }
    },
    concurrency: 2,
  })
  const names = Array.from({ length: 10 }, (_, index) => `n${index}.example`)
  const all = await Promise.all(names.map((name) => resolve(name)))
  t.ok(all.every((resolution) => shown(resolution) === '20.0.0.1'))
  t.ok(most <= 2, `${most} at most`)
})

void t.test('createResolver: a flood below one domain leaves the others their turns', async (t) => {
  const { resolve, server } = await resolving(t, {
    respond: ({ name }) => (name.endsWith('.evil.example') ? { silent: true } : a('20.0.0.1')),
    concurrency: 16,
    maxWaiting: 64,
  })
  const flood = Array.from({ length: 200 }, (_, index) => resolve(`n${index}.evil.example`))
  t.equal(shown(await resolve('a.good.test')), '20.0.0.1')
  t.same(new Set((await Promise.all(flood)).map(shown)), new Set(['dns-timeout']))
  const asked = server.questions.filter((question) => question.endsWith('.evil.example'))
  t.ok(new Set(asked).size <= 8, `${new Set(asked).size} questions`)
})

void t.test('createResolver: who asks for the same name shares the answer', async (t) => {
  const { resolve, server } = await resolving(t, {
    respond: () => ({ ...a('20.0.0.1'), delayMs: 20 }),
  })
  const all = await Promise.all(Array.from({ length: 50 }, () => resolve('a.example')))
  t.ok(all.every((resolution) => shown(resolution) === '20.0.0.1'))
  t.equal(server.questions.length, 2)
})

const lifetimes = [
  { note: 'its time to live', answer: a('20.0.0.1', { ttl: 10 }), keptMs: 9_000, goneMs: 11_000 },
  {
    note: 'the shortest of its records, an alias among them',
    answer: {
      records: [
        { type: 'CNAME', value: 'real.example', ttl: 5 },
        { owner: 'real.example', type: 'A', value: '20.0.0.1', ttl: 20 },
        { owner: 'real.example', type: 'A', value: '20.0.0.2', ttl: 10 },
      ],
    } satisfies Answer,
    keptMs: 4_500,
    goneMs: 5_500,
  },
  { note: 'at most 30 s', answer: a('20.0.0.1', { ttl: 86_400 }), keptMs: 29_000, goneMs: 31_000 },
  { note: 'no such name: 2 s', answer: noSuchName, keptMs: 1_500, goneMs: 2_500 },
  {
    note: 'time to live 0: not at all',
    answer: a('20.0.0.1', { ttl: 0 }),
    keptMs: undefined,
    goneMs: 0,
  },
  {
    note: 'a fault: not at all',
    answer: { code: 'SERVFAIL' } as const,
    keptMs: undefined,
    goneMs: 0,
  },
]

void t.test('createResolver: how long an answer counts', async (t) => {
  for (const { note, answer, keptMs, goneMs } of lifetimes) {
    await t.test(note, async (t) => {
      let clock = 0
      const { resolve, server } = await resolving(t, {
        respond: ({ type }) => (type === 'A' || answer.code !== undefined ? answer : none),
        now: () => clock,
      })
      await resolve('a.example')
      const first = server.questions.length
      if (keptMs !== undefined) {
        clock = keptMs
        await resolve('a.example')
        t.equal(server.questions.length, first, 'kept')
      }
      clock = goneMs
      await resolve('a.example')
      t.ok(server.questions.length > first, 'asked again')
    })
  }
})

void t.test('createResolver: a name that turns private is refused by the guard', async (t) => {
  let clock = 0
  let address = '20.0.0.1'
  const { resolve } = await resolving(t, {
    respond: ({ type }) => (type === 'A' ? a(address, { ttl: 1 }) : none),
    now: () => clock,
  })
  const guard = createAddressGuard({ grants: [], ownListeners: () => [], ownAddresses: () => [] })
  const host = { kind: 'name', name: nameOf('rebind.example') } as const
  const verdicts = async (): Promise<unknown[]> => {
    const resolution = await resolve('rebind.example')
    if (resolution.kind === 'failed') return [resolution.reason]
    return resolution.addresses.map(
      (found) => guard.refuse({ host, address: found, port: 443 })?.detail,
    )
  }
  t.same(await verdicts(), [undefined])
  address = '169.254.169.254'
  t.same(await verdicts(), [undefined], 'within its time to live the old answer counts')
  clock = 1_500
  t.same(await verdicts(), ['metadata address'])
})

void t.test('createResolver: refuses name servers that are no addresses', async (t) => {
  t.throws(
    () => createResolver({ nameservers: ['not an address'], hosts: new Map(), timeoutMs: 1000 }),
    new PerimeterError('RF_SETTINGS', 'not all name servers are addresses: `not an address`'),
  )
})

void t.test('createResolver: without name servers asks the system’s', async (t) => {
  let clock = 0
  const resolver = createResolver({
    nameservers: [],
    hosts: new Map(),
    timeoutMs: 50,
    now: () => clock,
  })
  t.equal((await resolver.resolve(nameOf('no-such-name.invalid'))).kind, 'failed')
  clock = 60_000
  t.equal(
    (await resolver.resolve(nameOf('no-such-name.invalid'))).kind,
    'failed',
    'which may have changed meanwhile',
  )
})

interface Given extends Partial<ResolverOptions> {
  readonly respond: (question: Question) => Answer
}

interface Resolving {
  readonly resolve: (name: string) => Promise<Resolution>
  readonly server: DnsServer
}

async function resolving(t: Test, { respond, ...options }: Given): Promise<Resolving> {
  const server = await startDnsServer(respond)
  t.teardown(() => server.close())
  const resolver = createResolver({
    nameservers: [server.address],
    hosts: new Map(),
    timeoutMs: 400,
    ...options,
  })
  return { resolve: (name) => resolver.resolve(nameOf(name)), server }
}

function shown(resolution: Resolution): string {
  return resolution.kind === 'failed'
    ? resolution.reason
    : resolution.addresses.map(({ text }) => text).join(' ')
}

function nameOf(text: string): Hostname {
  const name = parseHostname(text)
  if (name === undefined) throw new Error(`not a name: ${text}`)
  return name
}

function a(...values: (string | { ttl: number })[]): Answer {
  return addresses('A', values)
}

function aaaa(...values: (string | { ttl: number })[]): Answer {
  return addresses('AAAA', values)
}

function addresses(type: 'A' | 'AAAA', values: readonly (string | { ttl: number })[]): Answer {
  const options = values.find((value) => typeof value !== 'string')
  return {
    records: values
      .filter((value) => typeof value === 'string')
      .map((value) => ({ type, value, ...options })),
  }
}
