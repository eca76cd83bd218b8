import { once } from 'node:events'
import { AccessLog } from './access-log.ts'
import { performCheck, type Story } from './check.ts'
import { Children } from './children.ts'
import { changeRules, createWorld, removeWorld } from './create-world.ts'
import { startRules } from './documents.ts'
import { describeWorld } from './keep.ts'
import { readReadiness } from './readiness.ts'
import { createReport, type Report } from './report.ts'
import { amongMembers } from './stories/among-members.ts'
import { changes } from './stories/changes.ts'
import { evidence } from './stories/evidence.ts'
import {
  enforcedInbound,
  learningInbound,
  malformed,
  unassociatedInbound,
} from './stories/who-gets-in.ts'
import { enforcedOutbound, learningOutbound } from './stories/who-gets-out.ts'
import type { World } from './world.ts'

/**
 * The demo: two perimeters, eight resources, mock services in processes of their own, and the real program between
 * them.
 *
 *   clients ──▶ ringfence run (child) ──▶ blob, vault, search          (children, loopback)
 *   members ──▶ its outbound listeners ──▶ payments, updates, drop     (children, "the internet")
 *
 * It knows Ringfence as a user does: documents, HTTP, the access log and the metrics.
 */

export interface DemoOptions {
  /** Leave everything running after the checks, until Ctrl-C. */
  readonly keep: boolean
  /** Takes one line; default standard output. */
  readonly write?: (line: string) => void
  /** Default: whether standard output is a terminal. */
  readonly colours?: boolean
}

const stories: readonly Story[] = [
  enforcedInbound,
  learningInbound,
  unassociatedInbound,
  enforcedOutbound,
  learningOutbound,
  amongMembers,
  malformed,
  changes,
  evidence,
]

/** Lines of the child's operational log that are shown when something went wrong. */
const shownLines = 20
const shownWidth = 300

/** Runs it all and resolves with the exit code. Ends every process it started, whatever happens. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const {
    write = (line) => process.stdout.write(`${line}\n`),
    colours = process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
  } = options
  const children = new Children()
  const interrupted = watchInterrupts()
  let world: World | undefined
  try {
    const report = createReport({ write, colours })
    const play = async (): Promise<number> => {
      world = await createWorld(children)
      const failed = await runStories({ world, children, report })
      if (options.keep) {
        await changeRules(world, startRules)
        for (const line of describeWorld(world)) report.note(line)
        await interrupted.promise
      }
      return failed === 0 ? 0 : 1
    }
    return await Promise.race([play(), interrupted.promise])
  } catch (error) {
    write(`demo: ${error instanceof Error ? error.message : String(error)}`)
    return 1
  } finally {
    interrupted.dispose()
    await children.close()
    if (world !== undefined) await removeWorld(world)
  }
}

async function runStories(parts: {
  readonly world: World
  readonly children: Children
  readonly report: Report
}): Promise<number> {
  const { world, children, report } = parts
  const recent: string[] = []
  const ringfence = children.startRingfence({
    settingsFile: world.settingsFile,
    onLine: (line) => {
      recent.push(line)
      if (recent.length > shownLines) recent.shift()
    },
  })
  const ended = once(ringfence, 'exit').then(() => {
    throw new Error(['ringfence ended', ...recent].join('\n'))
  })
  // It also ends when all is done, and then nobody waits for this any more.
  ended.catch(() => undefined)
  const { ready } = await Promise.race([readReadiness(world, (seen) => seen.ready), ended])
  if (!ready) throw new Error(['ringfence did not become ready', ...recent].join('\n'))
  const log = await AccessLog.open(world.logFile)
  try {
    for (const story of stories) {
      report.story(story)
      for (const check of story.checks({ world, log })) {
        report.check(check, await Promise.race([performCheck(check, log), ended]))
      }
    }
  } finally {
    await log.close()
  }
  const failed = report.end()
  if (failed > 0) for (const line of recent) report.note(`ringfence: ${line.slice(0, shownWidth)}`)
  return failed
}

interface Interrupts {
  /** Resolves with the exit code once somebody asked to stop. */
  readonly promise: Promise<number>
  dispose(): void
}

function watchInterrupts(): Interrupts {
  const { promise, resolve } = Promise.withResolvers<number>()
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
  const listeners = Object.entries(signals).map(([signal, exitCode]) => {
    const listener = (): void => resolve(exitCode)
    process.once(signal, listener)
    return { signal, listener }
  })
  return {
    promise,
    dispose() {
      for (const { signal, listener } of listeners) process.off(signal, listener)
    },
  }
}
