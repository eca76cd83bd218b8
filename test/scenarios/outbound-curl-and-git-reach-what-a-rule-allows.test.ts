import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { enforced, startProxy, type ProxyFixture } from '../outbound/proxy-fixture.ts'
import { isInstalled, runTool, temporaryFolder } from '../outbound/run-tool.ts'
import { createAuthority, type TestAuthority } from '../support/certificates.ts'
import { type Origin, startOrigin } from '../support/origin.ts'

const authority = createAuthority()
t.teardown(() => authority.remove())

async function startHttps(
  t: Parameters<typeof startProxy>[0],
  ca: TestAuthority,
  handle?: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ origin: Origin; proxy: ProxyFixture; url: string; proxyUrl: string }> {
  const origin = await startOrigin(handle, { tls: ca.issue('api.example') })
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port))
  return {
    origin,
    proxy,
    url: `https://api.example:${origin.port}`,
    proxyUrl: `http://127.0.0.1:${proxy.port}`,
  }
}

void t.test('curl reaches an allowed host over https and over http', async (t) => {
  if (!isInstalled(t, ['curl', '--version'])) return
  const { proxy, url, proxyUrl } = await startHttps(t, authority)
  const curl = ['curl', '-sS', '--proxy', proxyUrl, '--cacert', authority.caFile]
  t.match(await runTool(t, [...curl, url]), { code: 0, output: 'ok' })
  t.match(proxy.records[0], { operationName: 'CONNECT', decision: { effect: 'allow' } })

  const plain = await startOrigin()
  t.teardown(() => plain.close())
  const plainProxy = await startProxy(t, enforced(plain.port))
  const overHttp = ['curl', '-sS', '--proxy', `http://127.0.0.1:${plainProxy.port}`]
  const address = `http://api.example:${plain.port}/path?query`
  t.match(await runTool(t, [...overHttp, address, address]), { code: 0, output: 'okok' })
  t.equal(plain.seen.length, 2)
  t.same(plain.seen[0]?.header('proxy-connection'), [])
  t.match(plainProxy.records[0], { operationName: 'GET', decision: { effect: 'allow' } })
})

void t.test('curl shows why it is refused', async (t) => {
  if (!isInstalled(t, ['curl', '--version'])) return
  const proxy = await startProxy(t, enforced(443))
  const curl = ['curl', '-sS', '--proxy', `http://127.0.0.1:${proxy.port}`]
  const overHttps = await runTool(t, [...curl, 'https://other.example/'])
  t.equal(overHttps.code, 56)
  t.match(overHttps.errors, /403/)
  const overHttp = await runTool(t, [...curl, 'http://other.example:443/'])
  t.equal(overHttp.code, 0)
  t.match(JSON.parse(overHttp.output), {
    error: { innererror: { destination: 'other.example:443', profile: 'web' } },
  })
  t.same(proxy.resolved, [])
})

void t.test('curl uploads with Expect and gets all of a large answer', async (t) => {
  if (!isInstalled(t, ['curl', '--version'])) return
  const origin = await startOrigin((request, response) => void request.pipe(response))
  t.teardown(() => origin.close())
  const proxy = await startProxy(t, enforced(origin.port))
  const folder = temporaryFolder(t)
  const file = join(folder, 'body')
  writeFileSync(file, Buffer.alloc(8 * 1024 * 1024, 'x'))
  const curl = `curl -sS --proxy http://127.0.0.1:${proxy.port} --data-binary @${file} -o /dev/null`
  const { code, output } = await runTool(t, [
    ...curl.split(' '),
    '-H',
    'Expect: 100-continue',
    '-w',
    '%{http_code} %{size_upload} %{size_download}',
    `http://api.example:${origin.port}/`,
  ])
  t.equal(code, 0)
  t.equal(output, '200 8388608 8388608')
})

void t.test('git clones over https, and is refused elsewhere', async (t) => {
  if (!isInstalled(t, ['git', '--version'])) return
  const { output: programs } = await runTool(t, ['git', '--exec-path'])
  if (!existsSync(join(programs.trim(), 'git-http-backend'))) {
    t.comment('not tested: git comes without http-backend on this machine')
    return
  }
  const root = temporaryFolder(t)
  const work = temporaryFolder(t)
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.invalid']
  writeFileSync(join(work, 'file.txt'), 'x'.repeat(100_000))
  for (const command of [
    ['init', '-q'],
    ['add', '.'],
    [...identity, 'commit', '-q', '-m', 'one'],
    ['clone', '-q', '--bare', work, join(root, 'demo.git')],
  ]) {
    t.equal((await runTool(t, ['git', ...command], { cwd: work })).code, 0, command.join(' '))
  }
  const { proxy, url, proxyUrl } = await startHttps(t, authority, (request, response) => {
    serveGit(root, request, response)
  })
  const env = { HTTPS_PROXY: proxyUrl, GIT_SSL_CAINFO: authority.caFile }
  const target = temporaryFolder(t)
  const cloned = await runTool(t, ['git', 'clone', '-q', `${url}/demo.git`, 'copy'], {
    env,
    cwd: target,
  })
  t.equal(cloned.code, 0, cloned.errors)
  const shown = await runTool(t, ['git', 'log', '--format=%s'], { cwd: join(target, 'copy') })
  t.equal(shown.output, 'one\n')
  t.ok(proxy.records.every(({ operationName }) => operationName === 'CONNECT'))
  const refused = await runTool(t, ['git', 'clone', '-q', 'https://github.com/a/b.git'], {
    env,
    cwd: target,
  })
  t.not(refused.code, 0)
  t.match(refused.errors, /403/)
  t.ok(proxy.records.some(({ decision }) => decision.reason === 'no-matching-rule'))
})

/** git's own CGI program (git-http-backend(1)). */
function serveGit(root: string, request: IncomingMessage, response: ServerResponse): void {
  const [path = '', query = ''] = (request.url ?? '').split('?')
  const cgi = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_NOSYSTEM: '1',
      // The folders belong to whoever runs the test, whatever HOME says.
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
      PATH_INFO: path,
      QUERY_STRING: query,
      REQUEST_METHOD: request.method ?? '',
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      ...(request.headers['content-encoding'] === undefined
        ? {}
        : { HTTP_CONTENT_ENCODING: request.headers['content-encoding'] }),
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  cgi.stdin.on('error', () => undefined)
  request.pipe(cgi.stdin)
  let head = Buffer.alloc(0)
  cgi.stdout.on('data', (chunk: Buffer) => {
    if (response.headersSent) {
      response.write(chunk)
      return
    }
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end === -1) return
    for (const line of head.subarray(0, end).toString().split('\r\n')) {
      const [name = '', value = ''] = line.split(': ')
      if (name.toLowerCase() === 'status') response.statusCode = Number.parseInt(value, 10)
      else response.setHeader(name, value)
    }
    response.flushHeaders()
    response.write(head.subarray(end + 4))
  })
  cgi.stdout.on('end', () => response.end())
}
