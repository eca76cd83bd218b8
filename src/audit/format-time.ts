import { seconds } from '../units.ts'

/** Most records share their second with the one before: its text is kept. Which one is kept changes no result. */
let keptSecond = Number.NaN
let keptText = ''

/** Milliseconds since the epoch → `2026-11-23T09:20:00.123Z` (RFC 3339). */
export function formatTime(timeMs: number): string {
  const time = Math.trunc(timeMs)
  const second = Math.floor(time / seconds(1))
  if (second !== keptSecond) {
    keptText = new Date(second * seconds(1)).toISOString().slice(0, 'yyyy-mm-ddThh:mm:ss.'.length)
    keptSecond = second
  }
  return `${keptText}${String(time - second * seconds(1)).padStart(3, '0')}Z`
}
