/**
 * Finds serving threads that do nothing any more: each counts its beats, and one whose count stands still for too long
 * hangs. It keeps its part of the connections waiting, and no policy can be put in force before it has taken it.
 */
export interface Liveness {
  /** To be called every `lookEveryMs`. */
  look(): void
}

export interface LivenessOptions {
  /** How often each thread has beaten so far; undefined where none serves. */
  readonly beats: () => readonly (number | undefined)[]
  /** Told once, until it beats again. */
  readonly onSilent: (index: number) => void
}

export const lookEveryMs = 500

/**
 * Five seconds. Looks are counted, not milliseconds: while the whole process is suspended, or the machine, nobody looks
 * and nobody is missed.
 */
export const silentLooks = 10

export function createLiveness({ beats, onSilent }: LivenessOptions): Liveness {
  const last = new Map<number, { readonly beat: number; looks: number }>()
  return {
    look() {
      for (const [index, beat] of beats().entries()) {
        const known = last.get(index)
        if (beat === undefined) {
          last.delete(index)
        } else if (known?.beat !== beat) {
          last.set(index, { beat, looks: 0 })
        } else if (++known.looks === silentLooks) {
          onSilent(index)
        }
      }
    },
  }
}
