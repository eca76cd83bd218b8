import { once } from 'node:events'
import { MessageChannel, Worker } from 'node:worker_threads'
import t from 'tap'
import { PerimeterError } from '../../src/errors.ts'
import { beginArena } from '../../src/policy/arena.ts'
import { type ArenaPair, createArenaPair, type Filling } from '../../src/workers/arena-pair.ts'
import { type ArenaReader, createArenaReader } from '../../src/workers/arena-reader.ts'
import type { ThreadData, ThreadReport } from './arena-reader-thread.ts'
import { compileNamed } from './named-policy.ts'

type Test = Pick<typeof t, 'teardown'>

interface Joined {
  readonly reader: ArenaReader<string>
  readonly commits: string[]
  readonly joined: Promise<void>
}

/** A reader in this thread. Its payloads are words; `bad` cannot be opened. */
function join(t: Test, pair: ArenaPair): Joined {
  const { port1, port2 } = new MessageChannel()
  const commits: string[] = []
  const reader = createArenaReader({
    port: port2,
    control: pair.control,
    open: (word: string) => {
      if (word === 'bad') throw new Error('no such word')
      return word
    },
    onCommit: (word) => commits.push(word),
  })
  t.teardown(() => reader.close())
  return { reader, commits, joined: pair.addReader(port1) }
}

async function put(pair: ArenaPair, payload: unknown): Promise<Filling> {
  const filling = await pair.beginFilling()
  beginArena(filling.buffer, filling.epoch).finish()
  await pair.commit(filling, payload)
  return filling
}

void t.test(
  'readers decide by nothing before the first commit, and then by the same',
  async (t) => {
    const pair = createArenaPair()
    const readers = [join(t, pair), join(t, pair)]
    for (const { reader, joined } of readers) {
      await joined
      t.equal(reader.current(), undefined)
    }
    await put(pair, 'one')
    for (const { reader } of readers) t.equal(reader.current(), 'one', 'at once, without a message')
    await put(pair, 'two')
    for (const { reader, commits } of readers) {
      t.equal(reader.current(), 'two')
      t.match(commits, ['one'], 'and it was told')
    }
  },
)

void t.test(
  'an arena pair fills its two buffers in turn, and never under an old number',
  async (t) => {
    const pair = createArenaPair()
    const { joined } = join(t, pair)
    await joined
    const fillings: Filling[] = []
    for (let round = 0; round < 6; round++) fillings.push(await put(pair, String(round)))
    const [first, second] = fillings
    for (const [index, { buffer }] of fillings.entries()) {
      t.equal(buffer, index % 2 === 0 ? first?.buffer : second?.buffer)
    }
    t.not(first?.buffer, second?.buffer)
    const given = await pair.beginFilling()
    const again = await pair.beginFilling()
    t.equal(again.buffer, given.buffer, 'a filling that came to nothing')
    const epochs = [...fillings, given, again].map(({ epoch }) => epoch)
    t.strictSame(
      epochs,
      [...new Set(epochs)].toSorted((a, b) => a - b),
    )
  },
)

void t.test('the spare is given only when every reader has left it', async (t) => {
  const pair = createArenaPair({ answerMs: 50 })
  const { port1, port2 } = new MessageChannel()
  t.teardown(() => port2.close())
  const said: unknown[] = []
  // A reader by hand, which opens what it is given and never says that it left the one before.
  port2.on('message', (message: { kind: string; epoch: number }) => {
    said.push(message.kind)
    if (message.kind === 'prepare') {
      port2.postMessage({ kind: 'prepared', epoch: message.epoch })
    }
  })
  await pair.addReader(port1)
  const filling = await put(pair, 'one')
  await t.rejects(pair.beginFilling(), {
    code: 'RF_POLICY',
    message: /1 of 1 threads did not answer in 50 ms; the policy in force stays/,
  })
  t.strictSame(said, ['prepare', 'committed'])
  port2.postMessage({ kind: 'holds', epoch: filling.epoch })
  t.not((await pair.beginFilling()).buffer, filling.buffer)
})

void t.test('a policy that one reader cannot open is put in force nowhere', async (t) => {
  const pair = createArenaPair()
  const { reader, joined } = join(t, pair)
  await joined
  await put(pair, 'one')
  await t.rejects(put(pair, 'bad'), {
    code: 'RF_POLICY',
    message: /a thread cannot take the policy: no such word/,
  })
  t.equal(reader.current(), 'one')
  await put(pair, 'three')
  t.equal(reader.current(), 'three')
})

void t.test('a reader that says nothing keeps a policy from being put in force', async (t) => {
  const pair = createArenaPair({ answerMs: 50 })
  const { reader, joined } = join(t, pair)
  await joined
  await put(pair, 'one')
  const { port1, port2 } = new MessageChannel()
  port2.start()
  const late = pair.addReader(port1)
  await t.rejects(late, PerimeterError)
  await once(port2, 'close')
  await put(pair, 'two')
  t.equal(reader.current(), 'two', 'and is waited for no more')
})

void t.test('what is not finished cannot be committed', async (t) => {
  const pair = createArenaPair()
  const filling = await pair.beginFilling()
  const arena = beginArena(filling.buffer, filling.epoch)
  await t.rejects(pair.commit(filling, 'half'), /gone/)
  arena.finish()
  await pair.commit(filling, 'whole')
})

void t.test('a reader that joins later has what is in force before it is counted on', async (t) => {
  const pair = createArenaPair()
  await put(pair, 'one')
  const { reader, joined } = join(t, pair)
  await joined
  t.equal(reader.current(), 'one')
  await put(pair, 'two')
  t.equal(reader.current(), 'two')
})

void t.test(
  'a reader that is asked between prepare and commit still knows what it prepared',
  async (t) => {
    const pair = createArenaPair()
    const { port1, port2 } = new MessageChannel()
    const asked: (string | undefined)[] = []
    const reader = createArenaReader({
      port: port2,
      control: pair.control,
      open: (word: string) => {
        queueMicrotask(() => asked.push(reader.current()))
        return word
      },
    })
    t.teardown(() => reader.close())
    await pair.addReader(port1)
    await put(pair, 'one')
    t.equal(reader.current(), 'one')
    await put(pair, 'two')
    t.equal(reader.current(), 'two')
    t.strictSame(asked, [undefined, 'one'])
  },
)

void t.test('a reader that was never given what is in force denies', async (t) => {
  const pair = createArenaPair()
  const { reader, joined } = join(t, pair)
  await joined
  await put(pair, 'one')
  t.equal(reader.current(), 'one')
  // As if a commit had passed it by.
  Atomics.store(new Int32Array(pair.control), 0, 99)
  t.equal(reader.current(), undefined)
})

void t.test('a closed pair ends its ports, and readers keep what they have', async (t) => {
  const pair = createArenaPair()
  const { port1, port2 } = new MessageChannel()
  const reader = createArenaReader({ port: port2, control: pair.control, open: String })
  await pair.addReader(port1)
  await put(pair, 'one')
  const closed = once(port2, 'close')
  pair.close()
  await closed
  t.equal(reader.current(), 'one')
  await put(pair, 'two')
})

void t.test('two threads, one busy and one idle: no answer is ever of two policies', async (t) => {
  const pair = createArenaPair()
  const url = new URL('arena-reader-thread.ts', import.meta.url)
  const threads = [false, true].map((isIdle) => {
    const { port1, port2 } = new MessageChannel()
    const workerData: ThreadData = { port: port2, control: pair.control, isIdle }
    const worker = new Worker(url, { workerData, transferList: [port2] })
    t.teardown(() => worker.terminate())
    return { worker, joined: pair.addReader(port1) }
  })
  for (const { joined } of threads) await joined
  const swaps = 100
  const sizes = new Set<number>()
  for (let swap = 1; swap <= swaps; swap++) {
    const name = `policy-${swap}`
    const filling = await pair.beginFilling()
    const arena = beginArena(filling.buffer, filling.epoch)
    const compiled = compileNamed(name, arena)
    arena.finish()
    await pair.commit(filling, { name, compiled })
    sizes.add(filling.buffer.byteLength)
  }
  t.equal(sizes.size, 1, 'memory is level')
  await pair.beginFilling()
  const reports = await Promise.all(
    threads.map(async ({ worker }) => {
      const answer = once(worker, 'message')
      worker.postMessage('report')
      const [report] = (await answer) as [ThreadReport]
      return report
    }),
  )
  for (const { wrong, commits } of reports) {
    t.strictSame(wrong, [])
    t.equal(commits, swaps, 'woken for every one')
  }
  const [busy, idle] = reports
  t.comment(`${busy?.decisions} decisions`)
  t.ok((busy?.decisions ?? 0) > 1000)
  t.equal(idle?.decisions, 0)
})
