import { PerimeterError } from '../errors.ts'
import { MiB } from '../units.ts'

/**
 * Where compiled tables lie. Small ones may stay where they were built; all others are laid into one growing buffer that
 * threads share, so that a policy is in memory once, whatever the number of its readers.
 *
 *   word 0: the epoch        from byte 64: the tables, one after another, each at a multiple of eight
 *
 * A buffer is filled again and again. Its epoch says which filling it holds: zero while somebody writes, then a number
 * that no other filling of it has. Tables carry the number of theirs, and every look-up holds it against the word before
 * it reads and again after: THREAT: what was read from a buffer that is being filled anew must never be an answer.
 */

/** Which filling tables belong to. */
export interface Epoch {
  /** The first word of their buffer. */
  readonly word: Int32Array
  readonly value: number
}

/** Takes the tables of one policy. What it returns holds the same, and is never written again. */
export interface Arena {
  readonly epoch: Epoch
  bytes(table: Uint8Array): Uint8Array
  words(table: Int32Array): Int32Array
}

/** An arena in a shared buffer, while one policy is written into it. */
export interface ArenaWriter extends Arena {
  /** Everything is written: from now on what was placed can be read. Without it nothing ever can. */
  finish(): void
}

const headerBytes = 64
const alignment = 8
/** Growth in steps spares the system calls; what is not touched is not resident. */
const growthBytes = 4 * MiB

/** Room for eight million prefixes and as many names. It is address space, not memory: a page counts once it is written. */
const maxArenaBytes = 1024 * MiB

/** An empty buffer that grows in place. It is never given back: keep it and fill it again. */
export function createArenaBuffer(maxByteLength: number = maxArenaBytes): SharedArrayBuffer {
  return new SharedArrayBuffer(headerBytes, { maxByteLength })
}

/**
 * Begins to fill the buffer. The caller is its only writer, and no reader is left in it; whoever is all the same fails
 * from now on. `epoch` is positive and was never used for this buffer.
 *
 * The writer throws `PerimeterError` RF_POLICY where the buffer cannot grow as far as the tables need.
 */
export function beginArena(buffer: SharedArrayBuffer, epoch: number): ArenaWriter {
  const word = new Int32Array(buffer, 0, 1)
  Atomics.exchange(word, 0, 0)
  let used = headerBytes

  /** Where so many bytes may be written. */
  function take(bytes: number): number {
    const start = used
    const end = start + Math.ceil(bytes / alignment) * alignment
    if (end > buffer.byteLength) {
      if (end > buffer.maxByteLength) {
        throw new PerimeterError(
          'RF_POLICY',
          `the compiled policy is larger than ${buffer.maxByteLength / MiB} MiB: it has too many rules`,
        )
      }
      buffer.grow(Math.min(buffer.maxByteLength, end + growthBytes))
    }
    used = end
    return start
  }

  return {
    epoch: { word, value: epoch },
    bytes(table) {
      const placed = new Uint8Array(buffer, take(table.byteLength), table.length)
      placed.set(table)
      return placed
    },
    words(table) {
      const placed = new Int32Array(buffer, take(table.byteLength), table.length)
      placed.set(table)
      return placed
    },
    finish() {
      Atomics.store(word, 0, epoch)
    },
  }
}

/** Leaves tables where they were built, for one thread and as long as it holds them. */
export function createPrivateArena(): Arena {
  const value = 1
  return {
    epoch: { word: Int32Array.of(value), value },
    bytes: (table) => table,
    words: (table) => table,
  }
}

/** @throws Error where the buffer no longer holds the tables: whoever decides by them denies. */
export function assertCurrent({ word, value }: Epoch): void {
  if (Atomics.load(word, 0) !== value) throw new Error('the tables of this policy are gone')
}
