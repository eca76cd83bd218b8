import { type Arena, beginArena, createPrivateArena } from '../policy/arena.ts'
import type { Settings } from '../settings/settings.ts'
import { type ArenaPair, createArenaPair, type Filling } from '../workers/arena-pair.ts'

/** Where the tables of each policy go: to this thread alone, or to arenas that all who serve read. */
export interface Tables {
  /** To be filled by compiling. Rejects where a thread does not let go of what was in force before. */
  readonly arenaFor: (settings: Settings) => Promise<Arena>
  /** Made with the first arena for more than one thread. */
  readonly pair: ArenaPair
  /** The one that was begun last. */
  readonly filling: Filling
}

export function createTables(): Tables {
  let pair: ArenaPair | undefined
  let filling: Filling | undefined
  return {
    async arenaFor({ workers }) {
      if (workers === 1) return createPrivateArena()
      pair ??= createArenaPair()
      filling = await pair.beginFilling()
      return beginArena(filling.buffer, filling.epoch)
    },
    get pair() {
      return given(pair)
    },
    get filling() {
      return given(filling)
    },
  }
}

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('no policy was compiled for several threads')
  return value
}
