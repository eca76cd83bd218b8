import t from 'tap'
import { PerimeterError } from '../../src/errors.ts'
import {
  assertCurrent,
  beginArena,
  createArenaBuffer,
  createPrivateArena,
} from '../../src/policy/arena.ts'
import { compilePolicy } from '../../src/policy/compile-policy.ts'
import { evaluateInbound } from '../../src/policy/evaluate-inbound.ts'
import { evaluateOutbound } from '../../src/policy/evaluate-outbound.ts'
import { openPolicy } from '../../src/policy/open-policy.ts'
import type { PolicySnapshot } from '../../src/policy/snapshot.ts'
import { MiB } from '../../src/units.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { buildPolicyInput, hostname, serviceId } from '../support/policy-builder.ts'
import { buildLargePolicy, coveredAddress, coveredName } from './large-policy.ts'

void t.test('an arena holds what was placed in it, apart from everything else', (t) => {
  const buffer = createArenaBuffer()
  const arena = beginArena(buffer, 7)
  const bytes = arena.bytes(Uint8Array.of(1, 2, 3))
  const words = arena.words(Int32Array.of(-1, 5))
  const empty = arena.words(new Int32Array(0))
  const more = arena.bytes(Uint8Array.of(9))
  arena.finish()
  t.strictSame([...bytes], [1, 2, 3])
  t.strictSame([...words], [-1, 5])
  t.equal(empty.length, 0)
  t.strictSame([...more], [9])
  for (const table of [bytes, words, more]) t.equal(table.buffer, buffer)
  t.doesNotThrow(() => assertCurrent(arena.epoch), 'its epoch is apart from the tables')
  t.end()
})

void t.test('an arena grows as far as it is allowed to, and then says what is too much', (t) => {
  const buffer = createArenaBuffer(MiB)
  const arena = beginArena(buffer, 1)
  const half = new Uint8Array(MiB / 2).fill(1)
  const placed = arena.bytes(half)
  t.equal(placed.length, half.length)
  try {
    arena.bytes(half)
    t.fail('it has room for a header too')
  } catch (error) {
    t.ok(error instanceof PerimeterError)
    t.match(error, { code: 'RF_POLICY', message: /larger than 1 MiB: it has too many rules/ })
  }
  t.throws(() => assertCurrent(arena.epoch), 'what is not complete is never read')
  t.end()
})

void t.test('a table that fits to the last byte is placed', (t) => {
  const buffer = createArenaBuffer(MiB)
  const arena = beginArena(buffer, 1)
  const rest = new Uint8Array(MiB - 64).fill(3)
  t.strictSame(arena.bytes(rest), rest)
  t.throws(() => arena.bytes(Uint8Array.of(1)), PerimeterError)
  t.end()
})

void t.test('what is placed can be read from the finish on, until the arena is begun anew', (t) => {
  const buffer = createArenaBuffer()
  const first = beginArena(buffer, 1)
  t.throws(() => assertCurrent(first.epoch), /gone/)
  first.finish()
  t.doesNotThrow(() => assertCurrent(first.epoch))
  const second = beginArena(buffer, 3)
  t.throws(() => assertCurrent(first.epoch), /gone/)
  second.finish()
  t.throws(() => assertCurrent(first.epoch), /gone/, 'the second is complete, the first stays gone')
  t.doesNotThrow(() => assertCurrent(second.epoch))
  t.end()
})

void t.test('a private arena leaves tables where they are', (t) => {
  const arena = createPrivateArena()
  const words = Int32Array.of(1)
  const bytes = Uint8Array.of(1)
  t.equal(arena.words(words), words)
  t.equal(arena.bytes(bytes), bytes)
  t.doesNotThrow(() => assertCurrent(arena.epoch))
  t.end()
})

void t.test('an arena that is filled a hundred times grows no more than once', (t) => {
  const buffer = createArenaBuffer()
  const sizes = new Set<number>()
  for (let epoch = 1; epoch <= 100; epoch++) {
    const arena = beginArena(buffer, epoch)
    arena.words(new Int32Array(100_000))
    arena.finish()
    sizes.add(buffer.byteLength)
  }
  t.equal(sizes.size, 1)
  t.end()
})

const rules = 500
const source = (text: string) => ({
  address: parseAddress(text),
  subscriptions: [],
  perimeters: [],
})

function decideBoth(snapshot: PolicySnapshot, index: number) {
  const resource = snapshot.resources.get(serviceId('orders').key)
  if (resource === undefined) throw new Error('the policy has the resource')
  const host = { kind: 'name', name: hostname(coveredName(index)) } as const
  return {
    inbound: evaluateInbound(snapshot, {
      resource,
      network: 'public',
      source: source(coveredAddress(index)),
    }),
    outbound: evaluateOutbound(snapshot, { resource, destination: { host, port: 443 } }),
  }
}

void t.test('a clone of a compiled policy decides by the same memory', (t) => {
  const buffer = createArenaBuffer()
  const arena = beginArena(buffer, 1)
  const compiled = compilePolicy(buildLargePolicy(rules), arena)
  arena.finish()
  const clone = structuredClone(compiled)
  const table = clone.perimeters[0]?.profiles[0]?.names.slots
  t.ok(table?.buffer instanceof SharedArrayBuffer)
  const snapshot = openPolicy(clone)
  for (let index = 0; index < rules; index++) {
    const { inbound, outbound } = decideBoth(snapshot, index)
    if (inbound.rule !== `in-${index}` || outbound.rule !== `out-${index}`) t.fail(`rule ${index}`)
  }
  const writer = beginArena(buffer, 3)
  const { inbound, outbound } = decideBoth(snapshot, 1)
  t.match(inbound, { effect: 'deny', reason: 'internal-error' })
  t.match(outbound, { effect: 'deny', reason: 'internal-error' })
  writer.finish()
  t.end()
})

void t.test(
  'a policy whose arena was filled with another one denies, whatever is in it now',
  (t) => {
    const buffer = createArenaBuffer()
    const everyone = (effect: 'Inbound' | 'Outbound', name: string) =>
      buildPolicyInput({
        resources: [{ id: 'orders' }],
        perimeters: [
          {
            name: 'shop',
            profiles: [
              {
                name: 'web',
                accessRules: [
                  effect === 'Inbound'
                    ? { name, addressPrefixes: ['0.0.0.0/0'] }
                    : { name, fullyQualifiedDomainNames: ['*.example.com'] },
                ],
              },
            ],
            // The mode in which a rule that is missed lets through.
            resourceAssociations: [{ resource: 'orders', profile: 'web', accessMode: 'Learning' }],
          },
        ],
      })
    const fill = (epoch: number, input: ReturnType<typeof everyone>) => {
      const arena = beginArena(buffer, epoch)
      const snapshot = openPolicy(compilePolicy(input, arena))
      arena.finish()
      return snapshot
    }
    const old = fill(1, everyone('Outbound', 'old'))
    fill(3, everyone('Inbound', 'new'))
    const { inbound, outbound } = decideBoth(old, 1)
    t.match(inbound, { effect: 'deny', reason: 'internal-error' })
    t.match(outbound, { effect: 'deny', reason: 'internal-error' })
    t.end()
  },
)
