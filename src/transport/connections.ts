import { type Deadline, type Deadlines, sharedDeadlines } from './deadlines.ts'
import { runInSlices, type SliceOptions, type Step } from './slices.ts'

/**
 * What is open: tunnels, upgrades, requests in flight. On every swap of what is in force each entry is judged again
 * with its original facts, and likewise once the evidence expires that it was allowed by; what is no longer allowed
 * ends as `policy-revoked`.
 */

/** From `register` on it is the registry's to write, which lets go of both functions when the entry goes. */
export interface OpenEntry {
  /** Version that decided it last. */
  version: string
  /**
   * When what allowed it is no longer true: milliseconds since the epoch, infinite where time changes nothing. `judge`
   * sets it anew.
   */
  expiresAt: number
  /** Judges the original facts against what is in force now: whether it is still allowed. Must not throw; a fault is false. */
  judge: () => boolean
  /** Ends it at once. Called once at most. */
  revoke: () => void
}

export interface OpenConnections {
  readonly size: number
  /**
   * Registers, before the first byte moves. Judges again if `entry.version` is not the version in force; false means
   * that it is no longer allowed: it was not registered, and the caller refuses it.
   */
  register(entry: OpenEntry): boolean
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

  function isAllowed(entry: OpenEntry): boolean {
    try {
      return entry.judge() === true
    } catch (error) {
      onFault?.(error)
      return false
    }
  }

  function watchExpiry(entry: OpenEntry): void {
    const at = entry.expiresAt
    if (expiries.get(entry)?.at === at) return
    forgetExpiry(entry)
    if (at === Number.POSITIVE_INFINITY) return
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

  function revoke(entry: OpenEntry): void {
    judgedIn.delete(entry)
    forgetExpiry(entry)
    try {
      entry.revoke()
    } catch (error) {
      onFault?.(error)
    }
    letGo(entry)
  }

  function judge(entry: OpenEntry): Step {
    // Read before the judgement: if it were ever swapped in between, the entry would count as judged by the older one.
    const inForce = version()
    judgedIn.set(entry, pass)
    if (isAllowed(entry)) {
      entry.version = inForce
      watchExpiry(entry)
      return 'cheap'
    }
    revoke(entry)
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

    register(entry) {
      const inForce = version()
      if (entry.version !== inForce) {
        if (!isAllowed(entry)) return false
        entry.version = inForce
      }
      judgedIn.set(entry, pass)
      if (entry.expiresAt !== Number.POSITIVE_INFINITY) watchExpiry(entry)
      return true
    },

    unregister(entry) {
      judgedIn.delete(entry)
      forgetExpiry(entry)
      letGo(entry)
    },

    async judgeAgain() {
      pass++
      running ??= judgeAll().finally(() => {
        running = undefined
      })
      await running
    },
  }
}

/**
 * The engine links each table of a Map to the larger or emptier one that replaces it: once one of them has grown old, all
 * that was ever in its successors lives until everything is collected. So nothing but the bare entry must hang on it.
 */
function letGo(entry: OpenEntry): void {
  entry.judge = deny
  entry.revoke = ignore
}

function deny(): boolean {
  return false
}

function ignore(): void {
  // It has ended already.
}
