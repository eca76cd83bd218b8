import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { inspect, promisify } from 'node:util'
import t, { type Test } from 'tap'
import { startRingfence } from '../../src/compose.ts'
import { createAuthority } from '../support/certificates.ts'
import { connectHttp2 } from '../support/http2-client.ts'
import { ask } from '../support/http-get.ts'
import { startOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { collectLog, type ConfigurationFiles, eventually, mainFile } from '../support/ringfence.ts'
import { shopSettings, writeShop } from '../support/shop.ts'

/**
 * Secrets are planted wherever clients and settings may have them, and then looked for in everything that an instance
 * writes or answers (squid CVE-2025-62168, the leaks of other proxies' logs).
 */

/** Long enough that nothing has it by chance. */
const secret = (where: string): string => `hushhush-${where}-0123456789`

const fields = [
  `Authorization: Bearer ${secret('bearer')}.${secret('payload')}.${secret('signature')}`,
  `Proxy-Authorization: Basic ${Buffer.from(`me:${secret('proxy')}`).toString('base64')}`,
  `Cookie: session=${secret('cookie')}`,
  `X-Api-Key: ${secret('key')}`,
  `X-Ms-Copy-Source: https://a.test/?sig=${secret('source')}`,
  `Referer: https://a.test/?code=${secret('referer')}`,
].join('\r\n')

const encoded = Buffer.from(`me:${secret('proxy')}`).toString('base64')

/** Requests that are served, refused, broken, or come to nothing, each with everything that it can carry. */
function requests(host: string, target = ''): readonly string[] {
  const path = `${target}/a?sv=1&sig=${secret('sas')}&token=${secret('query')}`
  const get = (line: string, more = ''): string =>
    `${line}\r\nHost: ${host}\r\n${fields}\r\n${more}\r\n`
  return [
    get(`GET ${path} HTTP/1.1`),
    get(`POST ${path} HTTP/1.1`, `Content-Length: 5\r\nContent-Length: 6\r\n`),
    get(`GET ${path}#${secret('fragment')} HTTP/1.1`),
    get(`GET ${path} b HTTP/1.1`),
    get(`GET ${path} HTTP/1.1`, `X-A : ${secret('broken')}\r\n`),
    get(`GET ${path} HTTP/1.1`, `Host: me:${secret('second-host')}@a.test\r\n`),
    get(`GET http://me:${secret('userinfo')}@${host}/ HTTP/1.1`),
    get(`CONNECT me:${secret('connect')}@${host}:443 HTTP/1.1`),
    get(`GET ${path} HTTP/1.1`, 'Upgrade: websocket\r\nConnection: upgrade\r\n'),
    get(`GET ${path} HTTP/1.1`, `X-Nsp-Subscription-Id: ${secret('claim')}\r\n`),
    get(`GET ${path} HTTP/1.1`, `X-Large: ${secret('large')}${'x'.repeat(40_000)}\r\n`),
    get(`GET ${path} HTTP/1.1`, `Expect: ${secret('expect')}\r\n`),
    get(`${secret('method')} ${path} HTTP/1.1`),
    `GET ${path} HTTP/1.1\r\nHost: me:${secret('host')}@${host}\r\n\r\n`,
    `${secret('noise')}\r\n\r\n`,
  ]
}

async function say(port: number, bytes: string): Promise<string> {
  const client = await connectRaw({ port })
  client.send(bytes)
  const text = await client
    .response()
    .then(({ head, body }) => head + body)
    .catch(() => '')
  client.destroy()
  return text
}

function leaks(text: string): readonly string[] {
  return [...text.matchAll(/.{0,80}hushhush-[a-z-]+/g)]
    .map(([found]) => found)
    .concat(text.includes(encoded) ? [`Proxy-Authorization: ${encoded}`] : [])
}

interface World {
  readonly files: ConfigurationFiles
  readonly keyLines: readonly string[]
  readonly origin: Awaited<ReturnType<typeof startOrigin>>
  readonly ca: string
}

async function world(t: Test): Promise<World> {
  const authority = createAuthority()
  t.teardown(() => authority.remove())
  const { certificateFile, keyFile, key } = authority.issue('orders.test')
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const listen = { host: '127.0.0.1', port: 0 }
  const settings = {
    ...shopSettings({ backendPort: origin.port }),
    inbound: [
      { name: 'public', listen },
      { name: 'secure', listen, tls: { certificateFile, keyFile } },
    ],
  }
  const files = await writeShop(t, { backendPort: origin.port, settings })
  const keyLines = key.split('\n').filter((line) => line !== '' && !line.startsWith('-----'))
  return { files, keyLines, origin, ca: authority.ca }
}

void t.test('nothing that an instance writes or answers holds a secret', async (t) => {
  const { files, keyLines, ca } = await world(t)
  const child = spawn(process.execPath, [mainFile, 'run', '--config', files.configFile], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], RINGFENCE_LOG_LEVEL: 'debug' },
  })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  }
  await eventually(
    () => said,
    (text) => /^ready in /m.test(text),
  )
  const port = (name: string): number =>
    Number(new RegExp(`\\b${name}\\b.*:(\\d+) `, 'm').exec(said)?.[1])
  let answers = ''
  for (const bytes of [...requests('orders.test'), ...requests('nobody.test')]) {
    answers += await say(port('public'), bytes)
  }
  for (const host of ['api.outside.test', 'evil.test', 'vault.test']) {
    for (const bytes of requests(host, `http://${host}`))
      answers += await say(port('egress'), bytes)
  }
  const http2 = await connectHttp2({ port: port('secure'), ca, servername: 'orders.test' })
  const headers = { ':authority': 'nobody.test', authorization: secret('h2'), cookie: secret('h2') }
  const answer = await http2.exchange(`/?sig=${secret('h2-query')}`, { headers })
  answers += JSON.stringify(answer.headers) + answer.body
  http2.destroy()
  for (const path of ['/status', '/policy', '/denials', `/policy?token=${secret('admin')}`]) {
    answers += (await ask({ socketPath: files.adminSocket, path })).body
  }
  await files.write(
    'ringfence.yaml',
    `resources: [{ id: a, backend: "http://me:${secret('reload')}@a:1" }]`,
  )
  answers += (await ask({ socketPath: files.adminSocket, path: '/reload', method: 'POST' })).body
  for (const path of ['/metrics', '/readyz', `/nothing?token=${secret('health')}`]) {
    answers += (await ask({ port: port('health'), path })).body
  }
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
  const log = await readFile(files.auditFile, 'utf8')
  t.ok(log.split('\n').length > 40, 'there is something to look at')
  t.match(said, '"level":', 'and in the operational log')
  for (const [place, text] of Object.entries({ log, said, answers })) {
    t.strictSame(leaks(text), [], place)
    t.notOk(
      keyLines.some((line) => text.includes(line)),
      `no key in ${place}`,
    )
  }
})

void t.test('what is in force holds no key, however it is looked at', async (t) => {
  const { files, keyLines } = await world(t)
  const log = collectLog()
  const running = await startRingfence({ configFile: files.configFile, log })
  t.teardown(() => running.stop().then(() => undefined))
  const shown =
    inspect(running, { depth: 20, showHidden: true }) + inspect(running.inForce(), { depth: 20 })
  t.match(shown, 'networkSecurityPerimeters')
  t.notOk(keyLines.some((line) => shown.includes(line)))
})

void t.test('a secret that is in the settings by mistake is not told again', async (t) => {
  const { files } = await world(t)
  const pasted = `-----BEGIN PRIVATE KEY-----\n${secret('pasted')}\n-----END PRIVATE KEY-----`
  const base = { scope: undefined, policy: { files: ['perimeters/*.yaml'] } }
  for (const [note, settings] of [
    [
      'a back end',
      {
        resources: [{ id: 'a', hosts: ['a.test'], backend: `http://me:${secret('backend')}@a:1` }],
      },
    ],
    [
      'an endpoint',
      { resources: [{ id: 'a', hosts: ['a.test'], endpoint: `me:${secret('endpoint')}@a:1` }] },
    ],
    [
      'a host',
      { resources: [{ id: 'a', hosts: [`me:${secret('host')}@a.test`], backend: 'http://a:1' }] },
    ],
    ['a name server', { egress: { nameservers: [`me:${secret('dns')}@192.0.2.1`] } }],
    [
      'a key instead of its file',
      {
        inbound: [
          {
            name: 'a',
            listen: { host: '127.0.0.1', port: 0 },
            tls: { certificateFile: 'a', keyFile: pasted },
          },
        ],
      },
    ],
    [
      'a key set',
      {
        identity: {
          tokens: { issuers: [{ issuer: 'a', jwksUrl: `https://me:${secret('jwks')}@a/` }] },
        },
      },
    ],
  ] as const) {
    await files.write('ringfence.yaml', { ...base, ...settings })
    for (const json of [[], ['--json']]) {
      const checked = await promisify(execFile)(process.execPath, [
        mainFile,
        'check',
        '--config',
        files.configFile,
        ...json,
      ]).catch((error: { stdout?: string; stderr?: string }) => error)
      const text = `${checked.stdout}${checked.stderr}`
      t.ok(text.length > 40, note)
      t.strictSame(leaks(text), [], note)
    }
  }
})
