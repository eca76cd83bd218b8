import { setTimeout as delay } from 'node:timers/promises'
import { askAdmin } from './admin.ts'
import { noteFinding, type Tally } from './tally.ts'
import type { World } from './world.ts'

/** What operators and machines do meanwhile: policies that change, files that break, back ends that restart. */

export interface Disturbances {
  /** Whether something that began and ended then may have met a back end that was not there. */
  overlapsRestart(begun: number, ended: number): boolean
  /** Resolves when the last one is over. */
  readonly over: Promise<void>
}

const reloadEveryMs = 1_500
const restartEveryMs = 7_000
/** Every so many reloads, the file is broken. */
const brokenEvery = 3
const broken =
  'name: soak\nprofiles: [{ name: web, accessRules: [{ name: x, direction: Sideways }] }]\n'
/** Connections of the last moment before a restart are found dead a moment after it. */
const graceMs = 1_000

/** Until the signal says stop. */
export function disturb(world: World, tally: Tally, stop: AbortSignal): Disturbances {
  const restarts: { readonly from: number; to: number }[] = []
  const restart = async (): Promise<void> => {
    const window = { from: performance.now(), to: Infinity }
    restarts.push(window)
    await world.restartCatalog()
    window.to = performance.now() + graceMs
    tally.restarts++
  }
  const over = Promise.all([
    every(restartEveryMs, stop, restart),
    every(reloadEveryMs, stop, (count) => reload(world, tally, count)),
  ]).then(() => undefined)
  return {
    overlapsRestart: (begun, ended) =>
      restarts.some(({ from, to }) => begun <= to && ended >= from),
    over,
  }
}

async function every(
  ms: number,
  stop: AbortSignal,
  act: (count: number) => Promise<void>,
): Promise<void> {
  for (let count = 1; !stop.aborted; count++) {
    await delay(ms, undefined, { signal: stop }).catch(() => undefined)
    if (!stop.aborted) await act(count)
  }
}

/** A good file must be in force at once, a broken one must change nothing. */
async function reload(world: World, tally: Tally, count: number): Promise<void> {
  const { folder } = world
  const isBroken = count % brokenEvery === 0
  const { answer: before } = await askAdmin(folder, { method: 'GET', path: '/status' })
  world.writePerimeter(isBroken ? broken : count)
  const { status } = await askAdmin(folder, { method: 'POST', path: '/reload' })
  const { answer: after } = await askAdmin(folder, { method: 'GET', path: '/status' })
  const changed = before.policyVersion !== after.policyVersion
  if (isBroken) {
    tally.refusedReloads++
    if (status !== 422) noteFinding(tally, `a broken policy was answered with ${status}`)
    if (changed) noteFinding(tally, 'a broken policy changed the one in force')
  } else {
    tally.reloads++
    if (status !== 200) noteFinding(tally, `a good policy was answered with ${status}`)
    if (!changed) noteFinding(tally, 'a good policy was not put in force')
  }
}
