import { readFileSync } from 'node:fs'
import path from 'node:path'

/** The first line of the file `stalls`: without it nobody has looked, and no stall means nothing. */
export const stallsHeader = 'cpu-ms clock-ms at'

/** CPU milliseconds of turns of the event loop that ended since. Throws where the probe has not run. */
export function stallsSince(folder: string, since: number): readonly number[] {
  const [header, ...lines] = readFileSync(path.join(folder, 'stalls'), 'utf8').trim().split('\n')
  if (header !== stallsHeader) throw new Error('the probe of stalls has not run')
  return lines
    .map((line) => line.split(' ').map(Number))
    .flatMap(([cpuMs = 0, , at = 0]) => (at >= since ? [cpuMs] : []))
}
