import { type Bench, newFolder } from './bench.ts'
import { freePort } from './free-port.ts'
import type { Service } from './children.ts'
import type { OriginOrder } from './load/origin.ts'

export interface Origin extends Service {
  readonly ports: OriginOrder
}

/** Starts what is at the end of tunnels, on the load's core. */
export async function startOrigin(bench: Bench): Promise<Origin> {
  const [echo, source, sink, once] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ]
  const ports: OriginOrder = { echo, source, sink, once }
  const service = await bench.children.startService({
    name: 'the origin',
    core: bench.cores.load,
    folder: newFolder(bench, 'origin'),
    port: once,
    program: process.execPath,
    args: [new URL('./load/origin.ts', import.meta.url).pathname, JSON.stringify(ports)],
  })
  return { ports, ...service }
}
