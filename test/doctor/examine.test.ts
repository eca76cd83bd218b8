import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { examine } from '../../src/doctor/examine.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import type { Claim, Instance, Mode } from '../../src/doctor/instance.ts'
import { startRawOrigin } from '../support/origin.ts'

/** Instances that hold nothing, and what the doctor says of them: each probe must be able to find what it looks for. */

const forged = { what: 'a forged subscription', header: 'x-nsp-subscription-id', value: 'guid' }

function claim(believed: Claim['believed'] = 'not-from-here'): Claim {
  return { ...forged, believed }
}

function instance(
  port: number,
  more: { readonly mode?: Mode; readonly claims?: readonly Claim[] } = {},
): Instance {
  const address = { host: '127.0.0.1', port }
  const { mode = 'Enforced', claims = [claim()] } = more
  return {
    inward: [
      {
        name: 'public',
        address,
        protocol: 'http',
        isSecure: false,
        services: [{ host: 'orders.test', mode, claims }],
        isOfOne: false,
      },
    ],
    outward: [{ name: 'egress', address, mode }],
    health: address,
    admin: undefined,
  }
}

/** Answers every head with what `say` makes of it. */
async function fake(say: (head: string) => string): Promise<{ readonly port: number }> {
  const origin = await startRawOrigin({
    onData: (socket, text) => void (text.includes('\r\n\r\n') && socket.end(say(text))),
  })
  t.teardown(() => origin.close())
  return origin
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'

function refusal(reason: string): string {
  const body = JSON.stringify({ error: { innererror: { reason } } })
  return `HTTP/1.1 403 Forbidden\r\nX-Ms-Request-Id: id\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

function verdictsOn(findings: readonly Finding[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const { verdict } of findings) counts[verdict] = (counts[verdict] ?? 0) + 1
  return counts
}

void t.test('where everything is answered, everything that can be known is open', async (t) => {
  const { port } = await fake(() => ok)
  const findings = await examine(instance(port))
  t.strictSame(Object.keys(verdictsOn(findings)).toSorted(), ['open', 'untried'])
  t.match(
    findings.filter(({ verdict }) => verdict === 'untried'),
    [{ door: 'public', probe: 'a forged subscription for orders.test', detail: /whoever it says/ }],
    'who is let in anyway learns nothing from a claim',
  )
  t.equal(new Set(findings.map(({ door, probe }) => `${door} ${probe}`)).size, findings.length)
})

void t.test('each probe by itself finds what it looks for', async (t) => {
  const { port: shut } = await fake((head) =>
    head.startsWith('POST /reload') || /^GET \/(?:policy|denials|status) /.test(head)
      ? 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'
      : refusal('no-matching-rule'),
  )
  const held = await examine(instance(shut))
  t.strictSame(Object.keys(verdictsOn(held)), ['held'])
  t.ok(held.length >= 25, `${held.length} probes`)
  const heads: string[] = []
  const { port: listening } = await fake((head) => {
    heads.push(head)
    return refusal('no-matching-rule')
  })
  await examine(instance(listening))
  const lines = heads.map((head) =>
    head
      .replace(/doctor-[0-9a-f-]+/g, 'x')
      .replaceAll(String(listening), 'PORT')
      .replaceAll(String(shut), 'PORT'),
  )
  for (const [index, one] of lines.entries()) {
    const isThis = (head: string): boolean =>
      head.replace(/doctor-[0-9a-f-]+/g, 'x').replaceAll(String(port), 'PORT') === one
    const { port } = await fake((head) => (isThis(head) ? ok : refusal('no-matching-rule')))
    const findings = await examine(instance(port))
    const open = findings.filter(({ verdict }) => verdict === 'open')
    t.ok(open.length >= 1, `${index}: ${JSON.stringify(one.slice(0, 80))}`)
  }
})

void t.test('who is let in only because a resource learns is listed apart', async (t) => {
  const { port } = await fake((head) =>
    head.includes('.invalid') || head.includes('orders.test')
      ? 'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n'
      : refusal('address-not-public'),
  )
  const findings = await examine(instance(port, { mode: 'Learning' }))
  const learning = findings.filter(({ verdict }) => verdict === 'learning')
  t.match(learning[0], { detail: 'the resource is in Learning' })
  t.strictSame(
    learning.map(({ probe }) => probe),
    [
      'CONNECT to an unlisted host',
      'CONNECT to an unlisted host, port 80',
      'a request for an unlisted host',
      'an upgrade for an unlisted host',
      'a forged subscription for orders.test',
    ],
  )
})

void t.test(
  'a claim that is believed is open to everyone, or cannot be tried from here',
  async (t) => {
    const { port } = await fake(() => refusal('no-matching-rule'))
    const find = async (believed: Claim['believed']): Promise<Finding | undefined> =>
      (await examine(instance(port, { claims: [claim(believed)] }))).find(({ probe }) =>
        probe.startsWith('a forged'),
      )
    t.match(await find('from-everyone'), { verdict: 'open' })
    t.match(await find('from-here'), { verdict: 'untried' })
    t.match(await find('not-from-here'), { verdict: 'held' })
  },
)

void t.test('what cannot be tried is not held', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await new Promise((resolve) => server.close(resolve))
  for (const [note, findings] of [
    ['nobody listens', await examine(instance(port))],
    ['no port is known', await examine(instance(0))],
    ['silence', await examine(instance((await fake(() => '')).port))],
    [
      'no new work',
      await examine({ ...instance((await fake(() => refusal('limit'))).port), health: undefined }),
    ],
    [
      'an unknown caller',
      (await examine(instance((await fake(() => refusal('unknown-caller'))).port))).filter(
        ({ door }) => door === 'egress',
      ),
    ],
  ] as const) {
    t.strictSame(Object.keys(verdictsOn(findings)), ['untried'], note)
  }
})

void t.test('an admin socket that others may open is open', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'doctor-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const admin = join(folder, 'admin.sock')
  const server = createServer().listen(admin)
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  await new Promise((resolve) => server.once('listening', resolve))
  const only = { inward: [], outward: [], health: undefined }
  for (const [mode, verdict] of [
    [0o600, 'held'],
    [0o660, 'open'],
    [0o602, 'open'],
  ] as const) {
    await chmod(admin, mode)
    t.match(await examine({ ...only, admin }), [{ verdict }], mode.toString(8))
  }
  t.match(await examine({ ...only, admin: `${admin}.gone` }), [
    { verdict: 'untried', detail: 'ENOENT' },
  ])
})
