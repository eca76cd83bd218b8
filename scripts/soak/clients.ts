import { setTimeout as delay } from 'node:timers/promises'
import { type Abort, aborts, performAbort } from './aborts.ts'
import type { Disturbances } from './disturb.ts'
import { createAgents, type Exchange, type ExchangeContext, exchanges } from './exchanges.ts'
import { countDone, noteCorrelationId, noteFinding, type Tally } from './tally.ts'
import type { World } from './world.ts'

/** Clients that do one thing after the other, at random, and now and then give up. */

const clients = 16
const abortShare = 0.15
const maxPauseMs = 40
/** What takes longer hangs, however busy the machine is. */
const patienceMs = 30_000

export interface ClientOptions {
  readonly world: World
  readonly tally: Tally
  readonly random: () => number
  readonly disturbances: Disturbances
  readonly stop: AbortSignal
}

/** Resolves when the signal has said stop and everything begun has ended. */
export async function runClients(options: ClientOptions): Promise<void> {
  const { world, tally, random } = options
  const agents = createAgents()
  const context: ExchangeContext = {
    ports: world.ports,
    random,
    agents,
    onAnswer: (id) => noteCorrelationId(tally, id),
  }
  await Promise.all(Array.from({ length: clients }, () => runClient(options, context)))
  agents.close()
}

async function runClient(options: ClientOptions, context: ExchangeContext): Promise<void> {
  const { random, stop } = options
  while (!stop.aborted) {
    if (random() < abortShare) await tryAbort(options, pick(aborts, random))
    else await tryExchange(options, context)
    await delay(random() * maxPauseMs)
  }
}

async function tryAbort({ world, tally, random }: ClientOptions, abort: Abort): Promise<void> {
  try {
    await performAbort(abort, { ports: world.ports, random })
    countDone(tally, `given up ${abort.kind}`)
  } catch (error) {
    noteFinding(tally, messageOf(error))
  }
}

async function tryExchange(options: ClientOptions, context: ExchangeContext): Promise<void> {
  const { tally, random, disturbances } = options
  const exchange = pickWeighted(random)
  const begun = performance.now()
  try {
    await withinPatience(exchange.run(context))
    countDone(tally, exchange.kind)
  } catch (error) {
    const isExplained =
      exchange.mayMeetRestart === true && disturbances.overlapsRestart(begun, performance.now())
    if (isExplained) tally.explained++
    else noteFinding(tally, `${exchange.kind}: ${messageOf(error)}`)
  }
}

async function withinPatience(work: Promise<void>): Promise<void> {
  const late = new AbortController()
  const timeout = delay(patienceMs, undefined, { signal: late.signal }).then(
    () => Promise.reject(new Error(`hangs: no end after ${patienceMs / 1000} s`)),
    () => undefined,
  )
  await Promise.race([work, timeout]).finally(() => late.abort())
}

const totalWeight = exchanges.reduce((sum, { weight }) => sum + weight, 0)

function pickWeighted(random: () => number): Exchange {
  let left = random() * totalWeight
  for (const exchange of exchanges) {
    left -= exchange.weight
    if (left < 0) return exchange
  }
  return pick(exchanges, random)
}

function pick<Item>(items: readonly Item[], random: () => number): Item {
  const item = items[Math.floor(random() * items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
