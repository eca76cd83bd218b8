import t from 'tap'
import { prepareOffThread } from '../../src/compose/prepare-off-thread.ts'
import { createArenaBuffer } from '../../src/policy/arena.ts'
import { KiB } from '../../src/units.ts'
import { writeShop } from '../support/shop.ts'

const watchPaths = ['/where/a/repair/would/show']

async function prepare(
  t: Parameters<typeof writeShop>[0],
  given: {
    readonly buffer: SharedArrayBuffer
    readonly deadlineMs?: number
    readonly signal?: AbortSignal
  },
) {
  const { configFile } = await writeShop(t, { backendPort: 1 })
  const { buffer, ...rest } = given
  return prepareOffThread(
    { configFile, instance: 'test', running: undefined },
    { filling: { buffer, epoch: 1 }, watchPaths, ...rest },
  )
}

void t.test('prepareOffThread writes the tables into the filling and finishes it', async (t) => {
  const buffer = createArenaBuffer()
  const prepared = await prepare(t, { buffer })
  if (prepared.kind !== 'prepared') throw new Error(prepared.problems.join())
  t.equal(Atomics.load(new Int32Array(buffer, 0, 1), 0), 1)
  const slots = prepared.policy.perimeters[0]?.profiles[0]?.names.slots
  t.ok(slots?.some((word) => word !== 0))
  t.strictSame(slots, new Int32Array(buffer, slots?.byteOffset, slots?.length), 'the same memory')
})

void t.test(
  'a policy that does not fit is a load that failed, and is never finished',
  async (t) => {
    const buffer = createArenaBuffer(KiB / 4)
    const prepared = await prepare(t, { buffer })
    t.match(prepared, { kind: 'failed', problems: [/^the compiled policy is larger than/] })
    t.equal(Atomics.load(new Int32Array(buffer, 0, 1), 0), 0)
  },
)

void t.test('a thread that takes too long is a load that failed', async (t) => {
  const prepared = await prepare(t, { buffer: createArenaBuffer(), deadlineMs: 1 })
  t.strictSame(prepared, {
    kind: 'failed',
    problems: ['the policy was not loaded within 1 ms'],
    watchPaths,
  })
})

const aborts = [
  { note: 'under way', signal: () => AbortSignal.timeout(20) },
  { note: 'before it began', signal: () => AbortSignal.abort() },
] as const
for (const { note, signal } of aborts) {
  void t.test(`a load is broken off when the process stops: ${note}`, async (t) => {
    const prepared = await prepare(t, { buffer: createArenaBuffer(), signal: signal() })
    t.strictSame(prepared, {
      kind: 'failed',
      problems: ['the load was broken off, the process stops'],
      watchPaths,
    })
  })
}

void t.test(
  'a thread that breaks off is a load that failed, and says where it may be repaired',
  async (t) => {
    // No filling has room for less than its epoch: this stands for a fault of the thread.
    const prepared = await prepare(t, { buffer: new SharedArrayBuffer(0) })
    t.match(prepared, { kind: 'failed', problems: [/^internal error while compiling/], watchPaths })
  },
)
