import fc from 'fast-check'
import t from 'tap'
import { createOpenConnections, type Judged, OpenEntry } from '../../src/transport/connections.ts'

/**
 * Clients that open one thing after the other in the same entry, under policies that come and go: after every pass, what
 * is open is what the policy in force allows, and each thing that it does not was ended once.
 */

const kinds = 3

type Action =
  /** Decided by what is in force, or by what was before; `next` is what the client opens as soon as this is revoked. */
  | {
      readonly kind: 'open'
      readonly client: number
      readonly what: number
      readonly isLate: boolean
      readonly next: number | undefined
    }
  /** It is over, and its entry waits for the next. */
  | { readonly kind: 'over'; readonly client: number }
  | { readonly kind: 'leave'; readonly client: number }
  | { readonly kind: 'swap'; readonly allowed: readonly boolean[] }

const client = fc.nat(2)
const what = fc.nat(kinds - 1)
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    kind: fc.constant('open' as const),
    client,
    what,
    isLate: fc.boolean(),
    next: fc.option(what, { nil: undefined }),
  }),
  fc.record({ kind: fc.constantFrom('over' as const, 'leave' as const), client }),
  fc.record({
    kind: fc.constant('swap' as const),
    allowed: fc.array(fc.boolean(), { minLength: kinds, maxLength: kinds }),
  }),
)

void t.test('nothing that is denied stays open, whatever an entry stood for before', async (t) => {
  const run = await fc.check(fc.asyncProperty(fc.array(action, { maxLength: 40 }), follow), {
    numRuns: 1000,
    interruptAfterTimeLimit: 10_000,
  })
  t.equal(fc.defaultReportMessage(run), undefined)
})

class Thing implements Judged {
  readonly #world: World
  readonly owner: Client
  readonly what: number
  readonly next: number | undefined
  isOver = false
  revoked = 0

  constructor(world: World, made: Pick<Thing, 'owner' | 'what' | 'next'>) {
    this.#world = world
    this.owner = made.owner
    this.what = made.what
    this.next = made.next
  }

  judge(): boolean {
    return this.isOver || this.#world.allows(this.what)
  }

  revoke(): void {
    this.revoked++
    this.isOver = true
    if (this.next !== undefined) this.#world.open(this.owner, { what: this.next })
  }
}

class Client implements Judged {
  readonly entry = new OpenEntry()
  /** One stands for all that it opens, as a connection may; else each for itself. */
  readonly isStanding: boolean
  current: Thing | undefined

  constructor(isStanding: boolean) {
    this.isStanding = isStanding
  }

  judge(): boolean {
    return this.current?.judge() ?? true
  }

  revoke(): void {
    this.current?.revoke()
  }
}

class World {
  readonly clients = [new Client(true), new Client(false), new Client(true)]
  readonly things: Thing[] = []
  version = 1
  allowed: readonly boolean[] = Array.from({ length: kinds }, () => true)
  readonly registry = createOpenConnections({ version: () => String(this.version) })

  allows(what: number): boolean {
    return this.allowed[what] === true
  }

  open(
    owner: Client,
    given: { readonly what: number; readonly isLate?: boolean; readonly next?: number | undefined },
  ): void {
    const { what, isLate = false, next } = given
    // What is in force refuses it itself.
    if (!isLate && !this.allows(what)) return
    if (owner.current !== undefined) owner.current.isOver = true
    const thing = new Thing(this, { owner, what, next })
    owner.current = thing
    owner.entry.version = String(isLate ? this.version - 1 : this.version)
    const isOpen = this.registry.register(owner.entry, owner.isStanding ? owner : thing)
    if (isOpen !== this.allows(what)) throw new Error('registered against what is in force')
    if (isOpen) this.things.push(thing)
    else thing.isOver = true
  }

  async swap(allowed: readonly boolean[]): Promise<void> {
    this.allowed = allowed
    this.version++
    await this.registry.judgeAgain(String(this.version))
    for (const { what, isOver, revoked } of this.things) {
      if (revoked > 1) throw new Error('revoked more than once')
      if (!isOver && !this.allows(what)) throw new Error('open, and not allowed')
    }
  }
}

async function follow(actions: readonly Action[]): Promise<void> {
  const world = new World()
  for (const done of actions) {
    if (done.kind === 'swap') {
      await world.swap(done.allowed)
      continue
    }
    const client = world.clients[done.client]
    if (client === undefined) continue
    if (done.kind === 'open') world.open(client, done)
    else if (client.current !== undefined) client.current.isOver = true
    if (done.kind === 'leave') world.registry.unregister(client.entry)
  }
  await world.swap([false, false, false])
  for (const { entry } of world.clients) world.registry.unregister(entry)
  if (world.registry.size !== 0) throw new Error('something was left')
}
