import type { ReloadOutcome } from '../admin/admin-socket.ts'

/** Reloads one after the other. */
export interface Reloader {
  /**
   * Starts a reload; while one runs, the next, which all who ask meanwhile share: the one that runs may have read the
   * files before they asked. Rejects only if `once` does.
   */
  reload(trigger: string): Promise<ReloadOutcome>
  /** Resolves when no reload runs or waits. */
  settled(): Promise<void>
}

/** `once` does one reload. If it rejects, so does that reload; the next one runs all the same. */
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
      const outcome = startAfter(running, triggers)
      waiting = { triggers, outcome }
      return outcome
    },
    async settled() {
      while (running !== undefined || waiting !== undefined)
        await (waiting?.outcome ?? running)?.catch(ignore)
    },
  }

  async function startAfter(
    current: Promise<ReloadOutcome>,
    triggers: readonly string[],
  ): Promise<ReloadOutcome> {
    try {
      await current
    } catch {
      // Told to whoever asked for that one. Who waits must not wait for ever.
    }
    waiting = undefined
    return start(triggers)
  }

  function start(triggers: readonly string[]): Promise<ReloadOutcome> {
    const current = once(triggers).finally(() => {
      if (running === current) running = undefined
    })
    running = current
    return current
  }
}

function ignore(): void {
  // Told to whoever asked for that reload.
}
