import t from 'tap'
import type { InForceParts } from '../support/settings-parts.ts'
import { enforced, startProxy } from './proxy-fixture.ts'

/**
 * Every way to spell a destination so that two readers of it disagree (smokescreen CVE-2022-24825 and CVE-2022-29188,
 * sandbox-runtime's NUL and zone id, tinyproxy CVE-2025-63938, the address forms of CVE-2021-28918 and CVE-2023-42282):
 * it is refused, or what is dialled is the canonical name that a rule allows. Nothing is resolved or dialled before.
 */

const allowed = 'api.example'

const parts: InForceParts = enforced(443, {
  egress: { ports: [80, 443], hosts: {}, privateAddresses: {} },
})

/** Spellings of what a rule allows. */
const sameHost = ['api.example', 'API.EXAMPLE', 'api.example.', 'aPi.ExAmPlE.']

const otherHosts = [
  // No rule names them.
  'evil-api.example',
  'api.example.evil.com',
  'notapi.example',
  'xapi.example',
  'example',
  'sub.api.example',
  'api.example-evil.com',
  // Names that are none.
  '[api.example]',
  '[api.example',
  'api.example]',
  'api..example',
  '.api.example',
  'api.example..',
  '-api.example',
  'api-.example',
  `${'a'.repeat(64)}.example`,
  `${'a.'.repeat(130)}example`,
  'evil.com\0.api.example',
  'api.example\0.evil.com',
  'api.example\t',
  'api.example%00',
  'api%2eexample',
  '%61pi.example',
  'api.exam\xe9ple',
  'api\u3002example',
  'api\uff0eexample',
  '\uff41pi.example',
  '\u24d0pi.example',
  'api.e\u212aample',
  // Userinfo and what a URL parser would end the host at.
  'api.example@evil.com',
  'evil.com@api.example',
  'api.example:443@evil.com',
  'api.example#@evil.com',
  'api.example\\@evil.com',
  'api.example\\.evil.com',
  'api.example?.evil.com',
  'api.example/.evil.com',
  'api.example;evil.com',
  'api.example,evil.com',
  'api.example evil.com',
  '*.example',
  '*',
  '',
  // Addresses, plain and in disguise.
  '127.0.0.1',
  '0.0.0.0',
  '2130706433',
  '0177.1',
  '0177.0.0.1',
  '0x7f.1',
  '0x7f000001',
  '127.1',
  '127.0.0.1.',
  '0',
  '10.0.0.1',
  '169.254.169.254',
  '168.63.129.16',
  '100.100.100.200',
  '[::1]',
  '[::]',
  '::1',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::7f00:1]',
  '[::ffff:0:a9fe:a9fe]',
  '[64:ff9b::7f00:1]',
  '[2002:7f00:1::]',
  '[fd00:ec2::254]',
  '[fe80::1%eth0]',
  '[::ffff:127.0.0.1%x.api.example]',
  '[::1%25lo]',
  '9.9.9.9',
  '1.1.1.1',
]

const oddPorts = [
  '',
  '0',
  '00443',
  '+443',
  '443:80',
  '99999',
  '65979',
  'https',
  '-1',
  '4 43',
  '0x1bb',
  '443/',
]

const canonical = [`9.9.9.9:443`]

void t.test('CONNECT is refused, or dials exactly the name that a rule allows', async (t) => {
  for (const host of [...sameHost, ...otherHosts]) {
    await judge(t, `CONNECT ${host}:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n`, {
      note: JSON.stringify(host),
      isAllowed: sameHost.includes(host),
    })
  }
  for (const port of oddPorts) {
    await judge(t, `CONNECT ${allowed}:${port} HTTP/1.1\r\nHost: ${allowed}\r\n\r\n`, {
      note: `port ${JSON.stringify(port)}`,
      isAllowed: false,
    })
  }
  for (const target of [
    allowed,
    '/',
    '*',
    `http://${allowed}/`,
    `//${allowed}:443`,
    `${allowed}:443/`,
  ]) {
    await judge(t, `CONNECT ${target} HTTP/1.1\r\nHost: ${allowed}\r\n\r\n`, {
      note: `target ${target}`,
      isAllowed: false,
    })
  }
})

void t.test('absolute-form is refused, or dials exactly the name that a rule allows', async (t) => {
  for (const host of [...sameHost, ...otherHosts]) {
    await judge(t, `GET http://${host}:443/ HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`, {
      note: JSON.stringify(host),
      isAllowed: sameHost.includes(host),
    })
    if (sameHost.includes(host)) continue
    await judge(t, `GET http://${host}:443/ HTTP/1.1\r\nHost: ${allowed}:443\r\n\r\n`, {
      note: `${JSON.stringify(host)} with an allowed Host`,
      isAllowed: false,
    })
    await judge(t, `GET http://${allowed}:443/ HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`, {
      note: `${JSON.stringify(host)} as Host`,
      isAllowed: false,
    })
  }
  for (const port of oddPorts.filter((one) => !['', '443/'].includes(one))) {
    await judge(t, `GET http://${allowed}:${port}/ HTTP/1.1\r\nHost: ${allowed}:${port}\r\n\r\n`, {
      note: `port ${JSON.stringify(port)}`,
      isAllowed: false,
    })
  }
  const hosts = [
    `Host: ${allowed}:443\r\nHost: evil.com:443\r\n`,
    `Host: ${allowed}:443\r\nHost: ${allowed}:443\r\n`,
    `Host: ${allowed}:443, evil.com\r\n`,
    `Host : ${allowed}:443\r\n`,
    ` Host: ${allowed}:443\r\n`,
    'X: y\r\n',
  ]
  for (const host of hosts) {
    await judge(t, `GET http://${allowed}:443/ HTTP/1.1\r\n${host}\r\n`, {
      note: JSON.stringify(host),
      isAllowed: false,
    })
  }
})

async function judge(
  t: Parameters<typeof startProxy>[0],
  bytes: string,
  { note, isAllowed }: { note: string; isAllowed: boolean },
): Promise<void> {
  const proxy = await startProxy(t, parts, {
    dns: { [allowed]: ['9.9.9.9'] },
    dial: () => async () => ({ kind: 'failed', reason: 'connect-refused' }),
  })
  const client = await proxy.connect()
  const isLatin = Buffer.from(bytes, 'latin1').toString('latin1') === bytes
  client.send(Buffer.from(bytes, isLatin ? 'latin1' : 'utf8'))
  const { status } = await client.response()
  client.destroy()
  if (isAllowed) {
    t.equal(status, 502, note)
    t.same(proxy.resolved, [allowed], note)
    t.same(proxy.dialled, canonical, note)
  } else {
    t.ok([400, 403].includes(status), `${note}: ${status}`)
    t.same(proxy.resolved, [], note)
    t.same(proxy.dialled, [], note)
  }
  t.equal(proxy.records[0]?.decision.effect, isAllowed ? 'allow' : 'deny', 'it is logged')
  await proxy.close()
}

void t.test('what is no request for a proxy is answered with a sentence that helps', async (t) => {
  const cases: readonly (readonly [note: string, bytes: string, sentence: RegExp])[] = [
    [
      'origin-form',
      `GET / HTTP/1.1\r\nHost: ${allowed}\r\n\r\n`,
      /forward proxy, not a web server/,
    ],
    ['asterisk-form', `OPTIONS * HTTP/1.1\r\nHost: ${allowed}\r\n\r\n`, /forward proxy, not a web/],
    [
      'https',
      `GET https://${allowed}/ HTTP/1.1\r\nHost: ${allowed}\r\n\r\n`,
      /https through CONNECT/,
    ],
    ['ftp', `GET ftp://${allowed}/ HTTP/1.1\r\nHost: ${allowed}\r\n\r\n`, /through CONNECT/],
    ['file', `GET file:///etc/passwd HTTP/1.1\r\nHost: ${allowed}\r\n\r\n`, /through CONNECT/],
    [
      'http without slashes',
      `GET http:127.0.0.1/ HTTP/1.1\r\nHost: ${allowed}\r\n\r\n`,
      /malformed/,
    ],
    ['a word', `GET word HTTP/1.1\r\nHost: ${allowed}\r\n\r\n`, /malformed/],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /malformed/],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', /malformed/],
    ['noise', 'hello there\r\n\r\n', /malformed/],
  ]
  for (const [note, bytes, sentence] of cases) {
    await t.test(note, async (t) => {
      const proxy = await startProxy(t, parts)
      const client = await proxy.connect()
      client.send(bytes)
      const answer = await client.response()
      t.equal(answer.status, 400)
      t.match(JSON.parse(answer.body).error.message, sentence)
      t.notMatch(answer.body, /passwd|127\.0/)
      t.match(proxy.records[0]?.decision, { effect: 'deny', reason: 'bad-request' })
      t.type(proxy.records[0]?.detail, 'string')
    })
  }
  await t.test('a browser gets a page', async (t) => {
    const proxy = await startProxy(t, parts)
    const client = await proxy.connect()
    client.send('GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html,*/*;q=0.8\r\n\r\n')
    const answer = await client.response()
    t.match(answer.header('content-type'), /^text\/html/)
    t.match(answer.body, /forward proxy, not a web server/)
  })
})

void t.test('framing that reads two ways is refused before anything is dialled', async (t) => {
  const fields = [
    'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
    'Content-Length: 5\r\nContent-Length: 6\r\n',
    'Content-Length: 5\r\nContent-Length: 5\r\n',
    'Content-Length: +5\r\n',
    'Content-Length: 0x5\r\n',
    'Content-Length: 5, 5\r\n',
    'Content-Length: \r\n',
    'Content-Length: 99999999999999999999\r\n',
    'Transfer-Encoding: xchunked\r\n',
    'Transfer-Encoding: chunked, identity\r\n',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
    'Transfer-Encoding:\x0bchunked\r\n',
    'Transfer-Encoding : chunked\r\n',
    'Transfer_Encoding: chunked\r\n',
    'Content_Length: 5\r\n',
    'Connection: content-length\r\nContent-Length: 5\r\n',
    'X: a\x00b\r\n',
    'X: a\rb\r\n',
    'X y: 1\r\n',
    ': 1\r\n',
    'X: 1\r\n folded\r\n',
    'no colon\r\n',
  ]
  for (const field of fields) {
    for (const [method, target] of [
      ['POST', `http://${allowed}:443/`],
      ['CONNECT', `${allowed}:443`],
    ] as const) {
      await judge(t, `${method} ${target} HTTP/1.1\r\nHost: ${allowed}:443\r\n${field}\r\nhello`, {
        note: `${method} ${JSON.stringify(field)}`,
        isAllowed: false,
      })
    }
  }
})
