import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { AccessLog } from './access-log.ts'
import { performCheck, type Story } from './check.ts'
import { Children } from './children.ts'
import { changeRules, createWorld, removeFolder } from './create-world.ts'
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
  /** What is tried; default all there is. */
  readonly stories?: readonly Story[]
}

const allStories: readonly Story[] = [
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
    stories = allStories,
  } = options
  const children = new Children()
  const interrupted = watchInterrupts()
  let folder: string | undefined
  try {
    const report = createReport({ write, colours })
    const play = async (): Promise<number> => {
      // Known before anything else is made, without a moment in which it exists and is not: all of it is removed.
      folder = mkdtempSync(path.join(tmpdir(), 'ringfence-demo-'))
      const world = await createWorld(children, folder)
      const program = await startProgram(world, children)
      const { isOver } = interrupted
      const failed = await program.during(runStories(stories, { world, report, isOver }))
      if (failed > 0) for (const line of program.lines) report.note(line.slice(0, shownWidth))
      if (options.keep) {
        await changeRules(world, startRules)
        for (const line of describeWorld(world)) report.note(line)
        await program.during(interrupted.promise)
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
    if (folder !== undefined) await removeFolder(folder)
  }
}

interface Program {
  /** The last lines of its operational log. */
  readonly lines: readonly string[]
  /** The work's result; throws if the program ends meanwhile. */
  during<Result>(work: Promise<Result>): Promise<Result>
}

/** Starts `ringfence run` and waits until it is ready. */
async function startProgram(world: World, children: Children): Promise<Program> {
  const lines: string[] = []
  const ringfence = children.startRingfence({
    settingsFile: world.settingsFile,
    onLine: (line) => {
      lines.push(`ringfence: ${line}`)
      if (lines.length > shownLines) lines.shift()
    },
  })
  const ended = once(ringfence, 'exit').then(() => {
    throw new Error(['ringfence ended', ...lines].join('\n'))
  })
  // It also ends when all is done, and then nobody waits for this any more.
  ended.catch(() => undefined)
  const program: Program = { lines, during: (work) => Promise.race([work, ended]) }
  const { ready } = await program.during(readReadiness(world, (seen) => seen.ready))
  if (!ready) throw new Error(['ringfence did not become ready', ...lines].join('\n'))
  return program
}

/** Returns how many checks failed. */
async function runStories(
  stories: readonly Story[],
  parts: {
    readonly world: World
    readonly report: Report
    readonly isOver: () => boolean
  },
): Promise<number> {
  const { world, report, isOver } = parts
  const log = await AccessLog.open(world.logFile)
  try {
    for (const story of stories) {
      report.story(story)
      for (const check of story.checks({ world, log })) {
        if (isOver()) return 0
        report.check(check, await performCheck(check, log))
      }
    }
  } finally {
    await log.close()
  }
  return report.end()
}

interface Interrupts {
  /** Resolves with the exit code once somebody asked to stop. */
  readonly promise: Promise<number>
  readonly isOver: () => boolean
  dispose(): void
}

function watchInterrupts(): Interrupts {
  const { promise, resolve } = Promise.withResolvers<number>()
  let over = false
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
  const listeners = Object.entries(signals).map(([signal, exitCode]) => {
    const listener = (): void => {
      over = true
      resolve(exitCode)
    }
    process.once(signal, listener)
    return { signal, listener }
  })
  return {
    promise,
    isOver: () => over,
    dispose() {
      for (const { signal, listener } of listeners) process.off(signal, listener)
    },
  }
}
