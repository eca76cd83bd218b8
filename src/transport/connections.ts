import { type Deadline, type Deadlines, sharedDeadlines } from './deadlines.ts'
import { runInSlices, type SliceOptions, type Step } from './slices.ts'

/**
 * What is open: tunnels, upgrades, requests in flight. On every swap of what is in force each entry is judged again
 * with its original facts, and likewise once the evidence expires that it was allowed by; what is no longer allowed
 * ends as `policy-revoked`.
 */

/** What is open, to the registry. */
export interface Judged {
  /** Judges the original facts against what is in force now: whether it is still allowed. Must not throw; a fault is false. */
  readonly judge: () => boolean
  /** Ends it at once. Called once at most for each time that it was registered. */
  readonly revoke: () => void
}

/**
 * What is open stands in one of these among all that is. Its owner may use it again for what it opens next, because it
 * holds no functions of its own: each `register` says what is judged from then on, so that nothing a former one ended
 * with, revoked or not, can answer for the next.
 */
export class OpenEntry {
  /** Version that decided it last. */
  version = ''
  /**
   * When what allowed it is no longer true: milliseconds since the epoch, infinite where time changes nothing. `judge`
   * sets it anew.
   */
  expiresAt = Number.POSITIVE_INFINITY
  /** What it was registered with and for as long as it is: the registry's alone to write. */
  standsFor: Judged | undefined
}

export interface OpenConnections {
  readonly size: number
  /**
   * Registers what is open, before the first byte moves; an entry that is registered already stands for this from now
   * on. Judges it if `entry.version` is not the version in force; false means that it is no longer allowed: the entry is
   * not registered, and the caller refuses it.
   */
  register(entry: OpenEntry, judged: Judged): boolean
  unregister(entry: OpenEntry): void
  /** Judges everything again in slices of at most 2 ms; resolves when the pass (or a newer one) is through. */
  judgeAgain(version: string): Promise<void>
}

export interface OpenConnectionsOptions extends SliceOptions {
  /** Version in force now. */
  readonly version: () => string
  /** Told what `judge` or `revoke` threw, a bug either way; the entry has been denied or ended. Must not throw. */
  readonly onFault?: (error: unknown) => void
  /** Milliseconds since the epoch; default the machine's clock. */
  readonly wallClock?: () => number
  /** Default those of this thread. */
  readonly deadlines?: Deadlines
}

/** An entry whose evidence expires, and what wakes us when it does. */
interface Expiry {
  readonly at: number
  readonly deadline: Deadline
}

/**
 * An entry carries the number of the last pass that judged it, not only its version: a pass judges every entry that
 * was there before it, even where the version came back to what it was.
 *
 * A call while a pass runs does not start over, it raises the number: the pass goes on from where it is and then round
 * again to those it had judged before. However fast calls follow one another, no entry waits for ever.
 */
export function createOpenConnections(options: OpenConnectionsOptions): OpenConnections {
  const { version, onFault, wallClock = Date.now, deadlines = sharedDeadlines } = options
  /** Number of the pass that judged the entry last. Iteration is in order of insertion and survives changes. */
  const judgedIn = new Map<OpenEntry, number>()
  const expiries = new Map<OpenEntry, Expiry>()
  let pass = 0
  let running: Promise<void> | undefined

  /** What stands for nothing is not allowed. */
  function isAllowed(judged: Judged | undefined): boolean {
    try {
      return judged?.judge() === true
    } catch (error) {
      onFault?.(error)
      return false
    }
  }

  function watchExpiry(entry: OpenEntry): void {
    const at = entry.expiresAt
    if (at === Number.POSITIVE_INFINITY) {
      forgetExpiry(entry)
      return
    }
    if (expiries.get(entry)?.at === at) return
    forgetExpiry(entry)
    const deadline = deadlines.watch({
      idleMs: Number.POSITIVE_INFINITY,
      lifetimeMs: Math.max(at - wallClock(), 0),
      onExpire() {
        // Gone before it is judged: one that is not over yet, because the clock was set back, is watched anew.
        expiries.delete(entry)
        judge(entry)
      },
    })
    expiries.set(entry, { at, deadline })
  }

  function forgetExpiry(entry: OpenEntry): void {
    if (expiries.size === 0) return
    expiries.get(entry)?.deadline.cancel()
    expiries.delete(entry)
  }

  /**
   * The engine links each table of a Map to the larger or emptier one that replaces it: once one of them has grown old,
   * all that was ever in its successors lives until everything is collected. So nothing but the bare entry must hang on it.
   */
  function remove(entry: OpenEntry): void {
    judgedIn.delete(entry)
    forgetExpiry(entry)
    entry.standsFor = undefined
  }

  function judge(entry: OpenEntry): Step {
    const judged = entry.standsFor
    // Read before the judgement: if it were ever swapped in between, the entry would count as judged by the older one.
    const inForce = version()
    judgedIn.set(entry, pass)
    if (isAllowed(judged)) {
      entry.version = inForce
      watchExpiry(entry)
      return 'cheap'
    }
    // Before it ends: while it does, its owner may register in the same entry what comes next.
    remove(entry)
    try {
      judged?.revoke()
    } catch (error) {
      onFault?.(error)
    }
    return 'dear'
  }

  async function judgeAll(): Promise<void> {
    for (let lapOf = pass; ; lapOf = pass) {
      const entries = judgedIn.entries()
      await runInSlices(() => {
        const next = entries.next()
        if (next.done === true) return 'done'
        const [entry, judgedLast] = next.value
        return judgedLast === pass ? 'cheap' : judge(entry)
      }, options)
      if (lapOf === pass) return
    }
  }

  return {
    get size() {
      return judgedIn.size
    },

    register(entry, judged) {
      const inForce = version()
      // What proved who asks may have expired while the way there was sought.
      if (entry.version !== inForce || entry.expiresAt <= wallClock()) {
        if (!isAllowed(judged)) {
          remove(entry)
          return false
        }
        entry.version = inForce
      }
      entry.standsFor = judged
      judgedIn.set(entry, pass)
      watchExpiry(entry)
      return true
    },

    unregister: remove,

    async judgeAgain() {
      pass++
      running ??= judgeAll().finally(() => {
        running = undefined
      })
      await running
    },
  }
}
