import t from 'tap'
import type { Lane } from '../../src/settings/settings.ts'
import { minutes } from '../../src/units.ts'
import { extension, helloMessage, inRecords, serverNames, usual } from '../support/client-hello.ts'
import { connectRaw } from '../support/raw-client.ts'
import { arrival, entryPaths, tellHttp2 } from './entry-paths.ts'
import { hostSpellings, type Spelling } from './host-spellings.ts'
import { violation } from './invariant.ts'
import { allowedName, startWorld, type World } from './world.ts'

/**
 * A connection that was let out for one name carries that name alone, wherever it is said again: in TLS, in the requests
 * inside a tunnel, in a second field (threats 2.3). Traefik CVE-2026-32305 (a hello in pieces), CVE-2026-48491 and
 * CVE-2026-53622 (names that compare in two ways), smokescreen #279.
 */

const [connect] = entryPaths

/** Hosts without their ports: as a name stands in TLS. */
function namesFor(port: number): readonly (Spelling & { readonly host: string })[] {
  if (connect === undefined) return []
  return hostSpellings(connect, port)
    .filter(({ authority }) => authority.endsWith(`:${port}`))
    .map((spelling) => ({ ...spelling, host: spelling.authority.slice(0, -`:${port}`.length) }))
}

/** How a hello may come: whole, in small records, in small segments. */
const pieces: readonly {
  readonly note: string
  readonly recordBytes: number
  readonly cut: number
}[] = [
  { note: 'whole', recordBytes: 16_384, cut: Infinity },
  { note: 'in records of seven bytes', recordBytes: 7, cut: Infinity },
  { note: 'in two segments', recordBytes: 16_384, cut: 60 },
]

/** Undefined: nothing has gone on, or what was let out. Sends `bytes` in a tunnel to the allowed name. */
async function inTunnel(
  world: World,
  {
    port,
    writes,
    isSame,
  }: { readonly port: number; readonly writes: readonly Buffer[]; readonly isSame: boolean },
): Promise<string | undefined> {
  const client = await connectRaw({ port: world.egress })
  client.send(`CONNECT ${allowedName}:${port} HTTP/1.1\r\nHost: ${allowedName}:${port}\r\n\r\n`)
  const { status } = await client.response({ bodyless: true })
  if (status !== 200) return `the CONNECT is answered ${status}`
  const since = world.events.length
  for (const bytes of writes) {
    client.send(bytes)
    if (writes.length > 1) await new Promise(setImmediate)
  }
  await arrival(world, client, since)
  client.destroy()
  const arrived = world.events.slice(since).some(({ kind }) => kind === 'arrived')
  if (arrived && !isSame) return 'it goes on'
  return !arrived && isSame ? 'it does not go on' : undefined
}

for (const lane of ['relay', 'library'] as const satisfies readonly Lane[]) {
  void t.test(`${lane}: the name in TLS is the one that was decided`, async (t) => {
    t.setTimeout(minutes(2))
    const world = await startWorld(t, { lane })
    const names = namesFor(443)
    for (const { note, recordBytes, cut } of pieces) {
      const wrong: string[] = []
      for (const { host, want, note: spelled } of names) {
        const hello = helloMessage({
          extensions: [serverNames(Buffer.from(host, 'latin1')), ...usual],
        })
        const bytes = inRecords(hello, recordBytes)
        const writes = cut === Infinity ? [bytes] : [bytes.subarray(0, cut), bytes.subarray(cut)]
        // RFC 6066 3 has no dot behind a name: whoever writes one may be told so.
        const isSame = want === 'served' && !host.endsWith('.')
        if (want === 'served' && !isSame) continue
        const found = await inTunnel(world, { port: 443, writes, isSame })
        if (found !== undefined) wrong.push(`${spelled}: ${found}`)
      }
      t.strictSame(wrong, [], `${note}: ${names.length} names`)
    }
    const name = serverNames(allowedName)
    const other = serverNames('evil.example')
    const wrong: string[] = []
    for (const [note, extensions] of [
      ['no name', []],
      ['two names', [serverNames(allowedName, 'evil.example')]],
      ['two names, the other first', [serverNames('evil.example', allowedName)]],
      ['the extension twice', [name, other]],
      ['the extension twice, the other first', [other, name]],
      ['the same name twice', [name, name]],
      ['an empty extension', [extension(0)]],
      ['an empty list', [extension(0, Buffer.from([0, 0]))]],
      [
        'a name of another kind',
        [extension(0, Buffer.concat([Buffer.from([0, 14, 1, 0, 11]), Buffer.from(allowedName)]))],
      ],
      [
        'a list that is longer than it is',
        [extension(0, Buffer.concat([Buffer.from([0, 99, 0, 0, 11]), Buffer.from(allowedName)]))],
      ],
      ['an encrypted one behind another name', [other, extension(0xfe0d, Buffer.alloc(200, 1))]],
    ] as const) {
      const writes = [inRecords(helloMessage({ extensions: [...extensions, ...usual] }))]
      const found = await inTunnel(world, { port: 443, writes, isSame: false })
      if (found !== undefined) wrong.push(`${note}: ${found}`)
    }
    for (const [note, text] of [
      ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n'],
      ['HTTP', `GET / HTTP/1.1\r\nHost: ${allowedName}\r\n\r\n`],
      ['HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
      ['SSL 2', '\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10'],
      ['an alert first', '\x15\x03\x01\0\x02\x01\0'],
      ['noise', '\0\x01\x02\x03\x04\x05'],
    ] as const) {
      const writes = [Buffer.from(text, 'latin1')]
      const found = await inTunnel(world, { port: 443, writes, isSame: false })
      if (found !== undefined) wrong.push(`${note}: ${found}`)
    }
    t.strictSame(wrong, [], 'what is not one name')
    await world.settle()
  })
}

void t.test('in HTTP/2 one authority is said once, or in the same words', async (t) => {
  const world = await startWorld(t, { lane: 'relay' })
  const path = entryPaths.find(({ title }) => title === 'HTTP/2 :authority')
  if (path === undefined) throw new Error('there is no such path')
  const right = `orders.test:${world.public}`
  const wrong: string[] = []
  for (const [note, fields] of [
    [
      'another Host',
      [
        [':authority', right],
        ['host', 'closed.test'],
      ],
    ],
    [
      'another authority',
      [
        [':authority', 'closed.test'],
        ['host', right],
      ],
    ],
    [
      'two authorities',
      [
        [':authority', right],
        [':authority', 'closed.test'],
      ],
    ],
    [
      'two Hosts',
      [
        ['host', right],
        ['host', 'closed.test'],
      ],
    ],
    [
      'an authority behind the fields',
      [
        ['x-a', 'a'],
        [':authority', right],
        ['host', 'closed.test'],
      ],
    ],
    [
      'an empty authority',
      [
        [':authority', ''],
        ['host', 'closed.test'],
      ],
    ],
    ['neither', []],
    ['userinfo', [[':authority', `closed.test@${right}`]]],
  ] as const) {
    const told = await tellHttp2(world, fields)
    const port = world.public
    const found = violation(world.events, told, {
      ...path,
      arrivesAs: right,
      port,
      want: 'refused',
    })
    if (found !== undefined) wrong.push(`${note}: ${found}`)
  }
  t.strictSame(wrong, [])
})
