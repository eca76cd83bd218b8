import { setTimeout as delay } from 'node:timers/promises'
import { seconds } from '../units.ts'
import { send } from './web-client.ts'
import type { World } from './world.ts'

/** What `/readyz` says. */
export interface Readiness {
  readonly ready: boolean
  readonly lastReloadFailed: boolean
}

const waitMs = seconds(10)
const pollMs = 20
const unknown: Readiness = { ready: false, lastReloadFailed: false }

/** Asks until the answer is as wanted, for ten seconds at most; returns the last answer. */
export async function readReadiness(
  world: World,
  wanted: (seen: Readiness) => boolean,
): Promise<Readiness> {
  const deadline = performance.now() + waitMs
  for (;;) {
    const seen = await ask(world)
    if (wanted(seen) || performance.now() > deadline) return seen
    await delay(pollMs, undefined, { ref: false })
  }
}

async function ask(world: World): Promise<Readiness> {
  try {
    const { body } = await send({ url: `http://127.0.0.1:${world.ports.health}/readyz` })
    const answer: Partial<Readiness> = JSON.parse(body)
    return {
      ready: answer.ready === true,
      lastReloadFailed: answer.lastReloadFailed === true,
    }
  } catch {
    // Not listening yet, or no longer.
    return unknown
  }
}
