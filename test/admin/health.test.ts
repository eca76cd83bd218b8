import { once } from 'node:events'
import { connect, type Server } from 'node:net'
import t from 'tap'
import { createHealthServer } from '../../src/admin/health.ts'
import type { Status } from '../../src/admin/status.ts'
import { ask } from '../support/http-get.ts'
import { statusOf } from '../support/status.ts'

type Test = Pick<typeof t, 'teardown'>

interface Health {
  readonly port: number
  status: Status
  readonly faults: unknown[]
}

async function startHealth(t: Test, metrics = () => Promise.resolve('m 1\n')): Promise<Health> {
  const health = { port: 0, status: statusOf(), faults: [] as unknown[] }
  const server = createHealthServer({
    status: () => health.status,
    metrics,
    onFault: (error) => health.faults.push(error),
  })
  t.teardown(() => server.close())
  health.port = await listenOn(server)
  return health
}

async function listenOn(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

void t.test('/livez answers while the process does', async (t) => {
  const health = await startHealth(t)
  health.status = statusOf({ policyVersion: undefined, draining: true })
  const { status, body } = await ask({ port: health.port, path: '/livez' })
  t.strictSame([status, body], [200, 'ok\n'])
})

void t.test('/readyz', async (t) => {
  const cases: readonly {
    readonly note: string
    readonly given: Partial<Status>
    readonly status: number
    readonly body: Record<string, unknown>
  }[] = [
    { note: 'ready', given: {}, status: 200, body: { ready: true, policyVersion: 'v1' } },
    {
      note: 'no policy is loaded',
      given: { policyVersion: undefined, loadedAt: undefined },
      status: 503,
      body: { ready: false, policyVersion: null, loadedAt: null },
    },
    { note: 'listeners are not open', given: { started: false }, status: 503, body: {} },
    {
      note: 'draining',
      given: { draining: true },
      status: 503,
      body: { ready: false, draining: true },
    },
    {
      note: 'the last reload failed: what was in force still is',
      given: { lastReloadFailed: true, lastProblems: ['secret.yaml:1:1: error: x'] },
      status: 200,
      body: { ready: true, lastReloadFailed: true },
    },
    {
      note: 'the access log is full, and work goes on',
      given: { accessLog: { state: 'losing', accepted: 9, lost: 3 } },
      status: 200,
      body: { ready: true, accessLog: 'losing' },
    },
    {
      note: 'the access log is full, and new work is refused',
      given: { accessLog: { state: 'refusing', accepted: 9, lost: 3 } },
      status: 503,
      body: { ready: false, accessLog: 'refusing' },
    },
    {
      note: 'a restart is needed',
      given: { needsRestart: ['`audit.file`'] },
      status: 200,
      body: { needsRestart: true },
    },
  ]
  for (const { note, given, status, body } of cases) {
    await t.test(note, async (t) => {
      const health = await startHealth(t)
      health.status = statusOf(given)
      const answer = await ask({ port: health.port, path: '/readyz' })
      t.equal(answer.status, status)
      t.match(JSON.parse(answer.body), body)
      t.equal(answer.headers['cache-control'], 'no-store')
      t.notMatch(answer.body, /secret/, 'problems quote the policy and stay inside')
    })
  }
})

void t.test('/metrics', async (t) => {
  await t.test('gives the text', async (t) => {
    const health = await startHealth(t)
    const { status, body, headers } = await ask({ port: health.port, path: '/metrics' })
    t.strictSame([status, body], [200, 'm 1\n'])
    t.match(headers['content-type'], /^text\/plain; version=0\.0\.4/)
  })

  await t.test('that fails is a 500 and a fault, not the end', async (t) => {
    const health = await startHealth(t, () => Promise.reject(new Error('broken')))
    t.equal((await ask({ port: health.port, path: '/metrics' })).status, 500)
    t.equal(health.faults.length, 1)
    t.equal((await ask({ port: health.port, path: '/livez' })).status, 200)
  })
})

void t.test('the health listener answers GET and HEAD only', async (t) => {
  const health = await startHealth(t)
  const cases = [
    { method: 'HEAD', path: '/livez', status: 200 },
    { method: 'POST', path: '/livez', status: 405 },
    { method: 'PUT', path: '/readyz', status: 405 },
    { method: 'DELETE', path: '/nothing', status: 405 },
    { method: 'OPTIONS', path: '/metrics', status: 405 },
    { method: 'GET', path: '/nothing', status: 404 },
    { method: 'GET', path: '/policy', status: 404 },
    { method: 'GET', path: '/livez/', status: 404 },
    { method: 'GET', path: '/livez?verbose', status: 200 },
  ]
  for (const { method, path, status } of cases) {
    const answer = await ask({ port: health.port, method, path })
    t.equal(answer.status, status, `${method} ${path}`)
    if (status === 405) t.equal(answer.headers.allow, 'GET, HEAD')
    if (method === 'HEAD') t.equal(answer.body, '')
  }
})

void t.test('the health listener bounds what clients send', async (t) => {
  const health = await startHealth(t)

  await t.test('a head that is too large is refused', async (t) => {
    const headers = { 'x-filler': 'x'.repeat(16_000) }
    await t.rejects(
      ask({ port: health.port, path: '/livez', headers }).then(({ status }) => {
        if (status === 400) throw new Error('refused')
      }),
    )
  })

  await t.test('CONNECT is answered and junk ends the connection only', async (t) => {
    for (const [bytes, answer] of [
      ['CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n', /^HTTP\/1\.1 405 /],
      ['\x16\x03\x01 junk\r\n\r\n', /^HTTP\/1\.1 400 /],
    ] as const) {
      const socket = connect(health.port, '127.0.0.1')
      socket.end(bytes)
      let received = ''
      for await (const chunk of socket) received += String(chunk)
      t.match(received, answer)
    }
    t.equal((await ask({ port: health.port, path: '/livez' })).status, 200)
  })
})
