import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { enforced, type ProxyFixture, startProxy, viaId } from '../outbound/proxy-fixture.ts'
import { temporaryFolder } from '../outbound/run-tool.ts'
import { createAuthority } from '../support/certificates.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import type { RawResponse } from '../support/raw-client.ts'
import type { InForceParts } from '../support/settings-parts.ts'
import { startUpstreamProxy, type UpstreamProxyServer } from '../support/upstream-proxy.ts'
import { echoFrames, upgradeRequest } from '../support/web-socket.ts'

/** The one way out is another proxy: it is asked for what was decided, by name, and only its 2xx opens anything. */

const certificates = createAuthority()
t.teardown(() => certificates.remove())

type Path = 'CONNECT' | 'absolute-form' | 'upgrade'
const paths: readonly Path[] = ['CONNECT', 'absolute-form', 'upgrade']
const opened = { CONNECT: 200, 'absolute-form': 200, upgrade: 101 } satisfies Record<Path, number>

interface Site {
  readonly origin: Origin
  readonly upstream: UpstreamProxyServer
  readonly proxy: ProxyFixture
  readonly parts: (more?: object) => InForceParts
  /** One request on a connection of its own. */
  readonly ask: (path: Path, host?: string) => Promise<Pick<RawResponse, 'status' | 'body'>>
}

interface SiteOptions {
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Over `egress.upstreamProxy`. */
  readonly settings?: object
  readonly parts?: Partial<InForceParts>
  readonly isLearning?: boolean
}

async function startSite(t: Test, options: SiteOptions = {}): Promise<Site> {
  const origin = await startOrigin(undefined, {
    onUpgrade: (_request, socket, head) => echoFrames(socket, head),
  })
  t.teardown(() => origin.close())
  const upstream = await startUpstreamProxy(options.tls)
  t.teardown(() => upstream.close())
  const parts = (more: object = {}): InForceParts => {
    const { perimeters, egress, ...rest } = enforced(origin.port, {
      timeouts: { connectMs: 400 },
      ...options.parts,
    })
    const [shop] = perimeters ?? []
    const accessMode = options.isLearning === true ? 'Learning' : 'Enforced'
    const associations = [{ resource: 'orders', accessMode } as const]
    return {
      ...rest,
      perimeters: [{ name: 'shop', ...shop, associations }],
      egress: {
        ...egress,
        hosts: {},
        privateAddresses: {},
        upstreamProxy: { url: upstream.url, ...options.settings, ...more },
      },
    }
  }
  const proxy = await startProxy(t, parts())
  return {
    origin,
    upstream,
    proxy,
    parts,
    async ask(path, host = 'api.example') {
      const client = await proxy.connect()
      client.send(requestBy(path, `${host}:${origin.port}`))
      const { status, body } = await client.response({ bodyless: path === 'CONNECT' })
      // A tunnel has no end of its own; a refusal has.
      const rest = path === 'CONNECT' && status !== 200 ? (await client.rest()).text : ''
      client.destroy()
      return { status, body: body + rest }
    },
  }
}

function requestBy(path: Path, authority: string): string {
  const credentials = 'Proxy-Authorization: Basic b3VyczpzZWNyZXQ=\r\n'
  const host = `Host: ${authority}\r\n`
  if (path === 'CONNECT') return `CONNECT ${authority} HTTP/1.1\r\n${host}${credentials}\r\n`
  if (path === 'upgrade') {
    return upgradeRequest(authority, credentials).replace('GET /', `GET http://${authority}/`)
  }
  return `GET http://${authority}/a?b HTTP/1.1\r\n${host}${credentials}\r\n`
}

void t.test('What is allowed is asked of the upstream proxy, by name', async (t) => {
  for (const path of paths) {
    await t.test(path, async (t) => {
      const { origin, upstream, proxy } = await startSite(t)
      const client = await proxy.connect()
      const authority = `api.example:${origin.port}`
      client.send(requestBy(path, authority))
      if (path === 'CONNECT') {
        await client.until('\r\n\r\n')
        client.send(`GET /inside HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
      }
      const { status } = await client.response()
      t.equal(status, path === 'upgrade' ? 101 : 200)
      client.destroy()
      t.same(upstream.heads, [
        `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\nVia: 1.1 ringfence-${viaId}\r\n\r\n`,
      ])
      t.same(proxy.resolved, [], 'no name was resolved here')
      t.same(proxy.dialled, [`127.0.0.1:${upstream.port}`])
      t.same(origin.seen[0]?.header('proxy-authorization'), [])
      t.match(proxy.records[0], {
        decision: { effect: 'allow', reason: 'access-rule' },
        destination: {
          fullyQualifiedDomainName: 'api.example',
          ipAddress: undefined,
          upstreamProxy: `127.0.0.1:${upstream.port}`,
        },
      })
    })
  }
})

void t.test('What no rule allows is not asked of it', async (t) => {
  const { upstream, ask } = await startSite(t)
  for (const path of paths) t.equal((await ask(path, 'other.example')).status, 403)
  t.same(upstream.heads, [])
})

void t.test('It is shown credentials of its own, and verified where it speaks TLS', async (t) => {
  const credentialsFile = join(temporaryFolder(t), 'credentials')
  writeFileSync(credentialsFile, 'us:pässword\n')
  const { caFile } = certificates
  const settings = { credentialsFile, caFile }
  const tls = certificates.issue('127.0.0.1')
  const { upstream, ask } = await startSite(t, { tls, settings })
  for (const path of paths) t.equal((await ask(path)).status, opened[path], path)
  const credentials = Buffer.from('us:pässword').toString('base64')
  for (const head of upstream.heads)
    t.match(head, `\r\nProxy-Authorization: Basic ${credentials}\r\n`)
  t.equal(upstream.heads.length, 3)

  const wrong = await startSite(t, { tls: certificates.issue('proxy.example'), settings })
  const unknown = await startSite(t, { tls, settings: { credentialsFile } })
  for (const site of [wrong, unknown]) {
    for (const path of paths) {
      const { status, body } = await site.ask(path)
      t.equal(status, 502)
      t.match(body, 'the upstream proxy could not be used: tls-failed')
    }
    t.same(site.upstream.heads, [], 'it was told nothing')
  }
})

const flood = 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(9)
const answers = [
  {
    note: '407',
    answer: 'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n',
    want: 'with status 407, it wants other credentials',
  },
  { note: '403', answer: 'HTTP/1.1 403 Forbidden\r\n\r\n', want: 'with status 403' },
  { note: '502', answer: 'HTTP/1.0 502 Bad Gateway\r\n\r\n', want: 'with status 502' },
  {
    note: '302',
    answer: 'HTTP/1.1 302 Found\r\nLocation: http://a/\r\n\r\n',
    want: 'with status 302',
  },
  { note: '101', answer: 'HTTP/1.1 101 Switching Protocols\r\n\r\n', want: 'backend-invalid' },
  { note: 'no HTTP', answer: '220 mail.example ESMTP\r\n\r\n', want: 'backend-invalid' },
  { note: 'HTTP/2', answer: 'HTTP/2 200 OK\r\n\r\n', want: 'backend-invalid' },
  { note: 'a bare line feed', answer: 'HTTP/1.1 200 OK\nA: b\n\n', want: 'backend-invalid' },
  {
    note: 'a space before the colon',
    answer: 'HTTP/1.1 200 OK\r\nA : b\r\n\r\n',
    want: 'backend-invalid',
  },
  {
    note: 'a head without end',
    answer: `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(20_000)}`,
    want: 'backend-invalid',
  },
  {
    note: 'too many lines',
    answer: `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(101)}\r\n`,
    want: 'backend-invalid',
  },
  { note: 'interim answers without end', answer: flood, want: 'backend-invalid' },
  { note: 'half a head', answer: 'HTTP/1.1 200 OK\r\n', want: 'backend-timeout' },
] as const

void t.test('Nothing but a 2xx opens anything, and the client is told what it was', async (t) => {
  const { upstream, ask, origin, proxy } = await startSite(t)
  for (const { note, answer, want } of answers) {
    upstream.answer = answer
    for (const path of paths) {
      const { status, body } = await ask(path)
      t.equal(status, 502, `${note}, ${path}`)
      t.match(body, want)
    }
  }
  upstream.answer = (socket) => void socket.end()
  for (const path of paths) t.match((await ask(path)).body, 'backend-reset')
  upstream.answer = (socket) => void socket.resetAndDestroy()
  for (const path of paths) t.match((await ask(path)).body, 'backend-reset')
  t.equal(origin.accepted(), 0)
  t.match(proxy.records.findLast(({ end }) => end !== undefined)?.end, {
    closeReason: 'upstream-proxy-failed',
  })
  upstream.answer = undefined
  for (const path of paths) t.equal((await ask(path)).status, opened[path], `${path} recovers`)
})

void t.test('One that is not there is said to be so', async (t) => {
  const { upstream, ask } = await startSite(t)
  await upstream.close()
  for (const path of paths) {
    const { status, body } = await ask(path)
    t.equal(status, 502)
    t.match(body, 'the upstream proxy could not be used: connect-refused')
  }
})

void t.test('Other ways to say yes are taken', async (t) => {
  for (const answer of [
    'HTTP/1.0 200 Connection established\r\n\r\n',
    'HTTP/1.1 204\r\nContent-Length: 5\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
  ]) {
    const { upstream, proxy, origin } = await startSite(t)
    upstream.answer = (socket) => {
      // Byte by byte, and what the destination says first right behind.
      for (const letter of `${answer}220 hello`) socket.write(letter, 'latin1')
      socket.on('data', (chunk) => socket.write(`heard ${chunk.length}`))
    }
    const client = await proxy.connect()
    client.send(requestBy('CONNECT', `api.example:${origin.port}`))
    t.match(await client.until('\r\n\r\n'), 'HTTP/1.1 200')
    await client.until('220 hello')
    client.send('12345')
    await client.until('heard 5')
    client.destroy()
  }
})

void t.test('What comes before a request is no answer to it', async (t) => {
  const { upstream, ask, origin } = await startSite(t)
  upstream.answer = `HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`
  for (const path of ['absolute-form', 'upgrade'] as const) {
    t.equal((await ask(path)).status, 502, path)
  }
  t.equal(origin.accepted(), 0)
})

void t.test('Addresses are guarded, and names of this machine or the proxy’s', async (t) => {
  const { upstream, ask, proxy } = await startSite(t, { isLearning: true })
  const inside = [
    '127.0.0.1',
    '169.254.169.254',
    '168.63.129.16',
    '10.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[64:ff9b::7f00:1]',
    'localhost',
    'LOCALHOST.',
    'a.localhost',
  ]
  for (const host of inside) {
    for (const path of paths) t.equal((await ask(path, host)).status, 403, `${path} ${host}`)
  }
  t.same(upstream.heads, [])
  t.same(proxy.dialled, [])
  t.equal((await ask('CONNECT', '20.0.0.1')).status, 200, 'a public one')
})

void t.test('What noProxy names is reached directly, and guarded', async (t) => {
  const noProxy = ['api.example', '*.corp.example', '10.0.0.0/8']
  const { upstream, ask, proxy } = await startSite(t, { isLearning: true, settings: { noProxy } })
  for (const host of ['api.example', 'a.corp.example']) {
    for (const path of paths) t.equal((await ask(path, host)).status, 502, `${path} ${host}`)
  }
  t.same(new Set(proxy.resolved), new Set(['api.example', 'a.corp.example']))
  // CVE-2026-44492: a mapped address is the IPv4 address, on either list.
  for (const host of ['10.0.0.1', '[::ffff:10.0.0.1]'])
    t.equal((await ask('CONNECT', host)).status, 403)
  t.same(upstream.heads, [])
  t.equal((await ask('CONNECT', 'corp.example')).status, 200, 'not the apex')
  t.equal(upstream.heads.length, 1)
})

void t.test('Connections are kept for the origin that they lead to', async (t) => {
  const { upstream, ask } = await startSite(t, { isLearning: true })
  for (const host of ['a.example', 'a.example', 'b.example', 'a.example']) {
    t.equal((await ask('absolute-form', host)).status, 200)
  }
  t.same(
    upstream.heads.map((head) => /^CONNECT ([a-z.]+):/.exec(head)?.[1]),
    ['a.example', 'b.example'],
  )
})

void t.test('A reload ends what went another way, and nothing else', async (t) => {
  const { proxy, parts, origin } = await startSite(t)
  const client = await proxy.connect()
  client.send(requestBy('CONNECT', `api.example:${origin.port}`))
  await client.until('\r\n\r\n')
  await proxy.swap(parts({ noProxy: ['other.example'] }))
  client.send('GET / HTTP/1.0\r\n\r\n')
  t.match(await client.until('ok'), 'HTTP/1.1 200', 'it is asked the same way')
  const next = await proxy.connect()
  next.send(requestBy('CONNECT', `api.example:${origin.port}`))
  await next.until('\r\n\r\n')
  await proxy.swap(parts({ noProxy: ['api.example'] }))
  t.same(await next.rest(), { text: '', how: 'reset' })
  const ended = await proxy.recordWhere(({ end }) => end?.closeReason === 'policy-revoked')
  t.equal(ended.decision.effect, 'allow')
})

void t.test('Two that ask each other are a loop', async (t) => {
  const first = await startSite(t)
  const second = await startProxy(t, first.parts(), { viaId: 'fedcba9876543210' })
  await first.proxy.swap(first.parts({ url: `http://127.0.0.1:${second.port}` }))
  await second.swap(first.parts({ url: `http://127.0.0.1:${first.proxy.port}` }))
  const { status, body } = await first.ask('CONNECT')
  t.equal(status, 502)
  t.match(body, 'with status 502')
  const reasons = first.proxy.records
    .filter(({ end }) => end === undefined)
    .map(({ decision }) => decision.reason)
  t.same(reasons, ['access-rule', 'loop'])
  t.equal(second.records.filter(({ end }) => end === undefined).length, 1)
})
