import type { ReloadOutcome } from '../admin/admin-socket.ts'

/** Reloads one after the other. */
export interface Reloader {
  /**
   * Starts a reload; while one runs, the next, which all who ask meanwhile share: the one that runs may have read the
   * files before they asked. Never rejects.
   */
  reload(trigger: string): Promise<ReloadOutcome>
  /** Resolves when no reload runs or waits. */
  settled(): Promise<void>
}

/** `once` does one reload and never rejects. */
export function createReloader(
  once: (triggers: readonly string[]) => Promise<ReloadOutcome>,
): Reloader {
  let running: Promise<ReloadOutcome> | undefined
  let waiting: { readonly triggers: string[]; readonly outcome: Promise<ReloadOutcome> } | undefined

  return {
    reload(trigger) {
      if (waiting !== undefined) {
        waiting.triggers.push(trigger)
        return waiting.outcome
      }
      if (running === undefined) return start([trigger])
      const triggers = [trigger]
      const outcome = running.then(() => {
        waiting = undefined
        return start(triggers)
      })
      waiting = { triggers, outcome }
      return outcome
    },
    async settled() {
      while (running !== undefined || waiting !== undefined) await (waiting?.outcome ?? running)
    },
  }

  function start(triggers: readonly string[]): Promise<ReloadOutcome> {
    const current = once(triggers).finally(() => {
      if (running === current) running = undefined
    })
    running = current
    return current
  }
}
