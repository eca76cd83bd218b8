import t from 'tap'
import type { Lane } from '../../src/settings/settings.ts'
import { connectRaw } from '../support/raw-client.ts'
import { upgradeRequest } from '../support/web-socket.ts'
import { sent } from './entry-paths.ts'
import { startWorld, type World } from './world.ts'

/** What has been found in comparable proxies and is not one of the other classes, once more on our own listeners. */

const lanes = ['relay', 'library'] as const satisfies readonly Lane[]

async function arrivedAt(world: World, port: number, bytes: string): Promise<readonly string[]> {
  const { since } = await sent(world, port, bytes)
  return world.events
    .slice(since)
    .flatMap((event) => (event.kind === 'arrived' ? [event.place] : []))
}

for (const lane of lanes) {
  void t.test(
    `${lane}: an empty list lets nobody in or out (CVE-2005-0194, CVE-2025-66479)`,
    async (t) => {
      const world = await startWorld(t, {
        lane,
        more: {
          perimeters: [
            {
              name: 'shop',
              profiles: [
                {
                  name: 'web',
                  accessRules: [
                    { name: 'in', addressPrefixes: [] },
                    { name: 'out', fullyQualifiedDomainNames: [] },
                  ],
                },
              ],
              associations: [{ resource: 'orders' }],
            },
          ],
        },
      })
      t.strictSame(
        await arrivedAt(world, world.public, 'GET / HTTP/1.1\r\nHost: orders.test\r\n\r\n'),
        [],
      )
      const out = 'GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\n'
      t.strictSame(await arrivedAt(world, world.egress, out), [])
      t.notOk(world.events.some(({ kind }) => kind === 'resolved' || kind === 'dialled'))
    },
  )

  void t.test(
    `${lane}: what is sent behind a refused CONNECT or upgrade is no request (CVE-2025-64763, GHSA-xq2h-p299-vjwv)`,
    async (t) => {
      const world = await startWorld(t, { lane })
      const behind =
        'GET http://api.example/smuggled HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n'
      for (const [note, port, bytes] of [
        [
          'CONNECT',
          world.egress,
          `CONNECT me@api.example:443 HTTP/1.1\r\nHost: api.example\r\n\r\n${behind}`,
        ],
        [
          'CONNECT with a length',
          world.egress,
          `CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n${behind}`,
        ],
        [
          'upgrade',
          world.egress,
          `${upgradeRequest('api.example', 'Content-Length: +1\r\n').replace('/socket', 'http://api.example/')}${behind}`,
        ],
        [
          'upgrade that nobody switches to',
          world.public,
          `${upgradeRequest('closed.test')}GET /smuggled HTTP/1.1\r\nHost: closed.test\r\n\r\n`,
        ],
      ] as const) {
        const client = await connectRaw({ port })
        const since = world.events.length
        client.send(bytes)
        const { status } = await client.response()
        t.ok(status >= 400, `${note}: ${status}`)
        t.notOk(
          world.events.slice(since).some(({ kind }) => kind === 'arrived'),
          note,
        )
        client.destroy()
      }
    },
  )

  void t.test(
    `${lane}: ten thousand fields and a Host of 60 KiB are bounded (CVE-2012-3505, CVE-2023-50269)`,
    async (t) => {
      const world = await startWorld(t, { lane })
      for (const [note, fields] of [
        ['ten thousand fields', 'X-A: a\r\n'.repeat(10_000)],
        ['a long Host', `Host: ${'a'.repeat(60_000)}\r\n`],
        ['thousands of hops', `X-Forwarded-For: ${'192.0.2.1, '.repeat(6000)}a\r\n`],
        ['a few hundred fields', 'X-A: a\r\n'.repeat(400)],
      ] as const) {
        const client = await connectRaw({ port: world.public })
        const since = world.events.length
        client.send(`GET / HTTP/1.1\r\nHost: orders.test\r\n${fields}\r\n`)
        const { status } = await client.response()
        t.ok([400, 431].includes(status), `${note}: ${status}`)
        t.notOk(
          world.events.slice(since).some(({ kind }) => kind === 'arrived'),
          note,
        )
        client.destroy()
      }
    },
  )

  void t.test(
    `${lane}: an answer of ours repeats nothing of a request (CVE-2022-40468, CVE-2025-62168)`,
    async (t) => {
      const world = await startWorld(t, { lane })
      const told = 'tell-me-again'
      for (const [port, host] of [
        [world.public, 'orders.test'],
        [world.public, 'nobody.test'],
        [world.egress, 'evil.example'],
      ] as const) {
        for (const bytes of [
          `${told} / HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
          `GET /<script>${told}</script> HTTP/1.1\r\nHost: ${host} ${told}\r\n\r\n`,
          `GET http://${host}/${told} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/html\r\nAuthorization: ${told}\r\nProxy-Authorization: ${told}\r\n\r\n`,
          `GET / HTTP/1.1\r\nHost: ${host}\r\n${told}\r\n\r\n`,
        ]) {
          const client = await connectRaw({ port })
          client.send(bytes)
          const { head, body, status } = await client.response()
          t.ok(status >= 400)
          t.notMatch(head + body, told)
          client.destroy()
        }
      }
    },
  )

  void t.test(
    `${lane}: a path that looks like a URL goes where its Host goes (CVE-2024-21536, CVE-2025-32996, CVE-2025-32997, GHSA-64mm-vxmg-q3vj, GHSA-gcq2-9pq2-cxqm)`,
    async (t) => {
      const world = await startWorld(t, { lane })
      for (const path of [
        '//closed.test/',
        '/http://closed.test/',
        '/@closed.test',
        '/..%2fclosed.test',
        '/;closed.test',
        '/?host=closed.test',
        '//closed.test@/',
        '/%00',
        '/%',
      ]) {
        const bytes = `GET ${path} HTTP/1.1\r\nHost: orders.test\r\nConnection: close\r\n\r\n`
        t.strictSame(await arrivedAt(world, world.public, bytes), ['orders'], path)
      }
    },
  )

  void t.test(
    `${lane}: fields for the proxy go no further, whatever else is said of them (CVE-2024-24758, CVE-2024-30260, GHSA-j5f8-grm9-p9fc, GHSA-6x33-pw7p-hmpq)`,
    async (t) => {
      const world = await startWorld(t, { lane })
      const secret =
        'Proxy-Authorization: Basic c2VjcmV0\r\nProxy-Connection: keep-alive\r\nTrailer: X-A\r\nConnection: Connection, Proxy-Connection, close\r\n'
      for (const [port, line] of [
        [world.egress, 'POST http://api.example/ HTTP/1.1\r\nHost: api.example\r\n'],
        [world.public, 'POST / HTTP/1.1\r\nHost: orders.test\r\n'],
      ] as const) {
        for (const more of [
          'Content-Length: 0\r\n\r\n',
          `Expect: 100-continue\r\nContent-Length: 2000\r\n\r\n${'x'.repeat(2000)}`,
        ]) {
          const client = await connectRaw({ port })
          const since = world.events.length
          client.send(line + secret + more)
          let { status } = await client.response()
          while (status < 200) ({ status } = await client.response())
          client.destroy()
          const arrived = world.events
            .slice(since)
            .flatMap((event) => (event.kind === 'arrived' ? [event.bytes] : []))
          t.ok(arrived.length > 0)
          for (const bytes of arrived) t.notMatch(bytes, /c2VjcmV0|proxy-|^trailer|^expect/im)
        }
      }
    },
  )

  void t.test(
    `${lane}: among very many hosts case means nothing either (CVE-2026-27588)`,
    async (t) => {
      const closed = Array.from({ length: 500 }, (_, index) => `h${index}.test`)
      const world = await startWorld(t, {
        lane,
        more: {
          resources: [{ id: 'closed', hosts: closed, backend: 'http://127.0.0.1:1' }],
          perimeters: [{ name: 'elsewhere', associations: [{ resource: 'closed' }] }],
          outbound: [{ name: 'egress', resource: 'closed' }],
        },
      })
      for (const host of ['h7.test', 'H7.TEST', 'h499.Test.', 'H300.test:80']) {
        const client = await connectRaw({ port: world.public })
        client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
        t.match((await client.response()).body, 'no-matching-rule', host)
        client.destroy()
      }
    },
  )
}
