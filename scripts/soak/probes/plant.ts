import { subscribe } from 'node:diagnostics_channel'

/**
 * Runs inside Ringfence (`node --import …/plant.ts?memory`) and leaks on purpose, a little for each connection, to show that
 * a soak finds it: 16 KiB of `memory`, or one of the `timers` that keep nothing alive.
 */

const leaked: unknown[] = []
const leakedBytes = 16_384

const plants: Readonly<Record<string, () => void>> = {
  memory: () => void leaked.push(Buffer.alloc(leakedBytes, leaked.length)),
  timers: () => void setInterval(() => undefined, 2 ** 31 - 1).unref(),
}

for (const name of new URL(import.meta.url).searchParams.keys()) {
  const plant = plants[name]
  if (plant === undefined) throw new Error(`nothing to plant: ${name}`)
  subscribe('net.server.socket', plant)
}
