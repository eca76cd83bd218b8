/** Units. A bare number never stands for a size or a duration: it is written `16 * KiB` or `seconds(30)`. */

export const KiB = 1024
export const MiB = 1024 * KiB

/** Seconds as milliseconds, the one unit of time inside Ringfence. */
export function seconds(count: number): number {
  return count * 1000
}

/** Minutes as milliseconds. */
export function minutes(count: number): number {
  return seconds(count * 60)
}

/** Hours as milliseconds. */
export function hours(count: number): number {
  return minutes(count * 60)
}
