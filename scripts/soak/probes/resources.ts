import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { queryObjects } from 'node:v8'
import { threadId } from 'node:worker_threads'
import { collectGarbage } from '../../../src/compose/collect-garbage.ts'
import { type Held, measureFile, type Resources, resourcesFile } from '../resources-file.ts'

/**
 * Runs inside Ringfence (`node --import`), in each of its threads, and says twice a second what keeps the event loop alive.
 * Asked to, by another number in the file `measure`, it counts everything that is held; that stops the thread for long.
 */

const everyMs = 500
const file = resourcesFile(threadId)
let held: Held = { number: 0, timers: 0, bytes: 0 }

/** `clearTimeout` leaves nothing to find; `unref` and a forgotten `setInterval` do, which no list of resources shows. */
const Timeout = constructorOf(setTimeout(() => undefined, 0))

setInterval(() => {
  const number = askedFor()
  if (number !== held.number) held = measure(number)
  const alive = process.getActiveResourcesInfo()
  const timers = alive.filter((kind) => kind === 'Timeout' || kind === 'Immediate').length
  const resources: Resources = { timers, held }
  writeFileSync(`${file}.new`, JSON.stringify(resources))
  renameSync(`${file}.new`, file)
}, everyMs).unref()

function askedFor(): number {
  try {
    return Number(readFileSync(measureFile, 'utf8'))
  } catch {
    return 0
  }
}

function measure(number: number): Held {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return { number, timers: queryObjects(Timeout, { format: 'count' }), bytes: heapUsed + external }
}

function constructorOf(timer: NodeJS.Timeout) {
  clearTimeout(timer)
  return timer.constructor
}
