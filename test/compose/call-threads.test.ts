import t from 'tap'
import { callThreads, within } from '../../src/compose/call-threads.ts'
import type { Thread } from '../../src/compose/thread.ts'

/** Answers every question with what is given, a rejection as such; without anything, never. */
function thread(answer?: Promise<unknown>): Thread {
  const given = answer ?? new Promise<unknown>(() => undefined)
  // The test asks only what it has given the answer to.
  return { call: () => given as Promise<never>, terminate: () => Promise.resolve() }
}

const finish = {
  name: 'finish',
  argument: { side: 'inbound', timeoutMs: 0 },
  withinMs: 20,
} as const

void t.test('callThreads: what all say, in their order', async (t) => {
  const threads = [thread(Promise.resolve(true)), thread(Promise.resolve(false))]
  t.same(await callThreads(threads, finish), { answers: [true, false], late: [] })
  t.same(await callThreads([], finish), { answers: [], late: [] })
})

void t.test('callThreads: one that has ended has nothing to say', async (t) => {
  const ended = thread(Promise.reject(new Error('the worker has ended')))
  t.same(await callThreads([ended, thread(Promise.resolve(true))], finish), {
    answers: [true],
    late: [],
  })
})

void t.test('callThreads: one that hangs is named, and the others are heard', async (t) => {
  const hung = thread()
  const { answers, late } = await callThreads([hung, thread(Promise.resolve(true))], finish)
  t.same(answers, [true])
  t.equal(late.length, 1)
  t.equal(late[0], hung)
})

void t.test('callThreads: an answer without content is one', async (t) => {
  const question = { name: 'follow', argument: undefined, withinMs: 20 } as const
  const { answers, late } = await callThreads([thread(Promise.resolve(undefined))], question)
  t.same(answers, [undefined])
  t.same(late, [])
})

void t.test('within: rejects as the work does, and no timer stays', async (t) => {
  await t.rejects(within(60_000, Promise.reject(new Error('no'))), { message: 'no' })
  t.same(await within(60_000, Promise.resolve(1)), { result: 1 })
  t.equal(await within(1, new Promise(() => undefined)), undefined)
  t.same(
    process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout'),
    [],
  )
})
