import { KiB } from '../../src/units.ts'
import { type Bench, newFolder } from './bench.ts'
import { freePort } from './free-port.ts'
import { nginx, startNginx } from './candidates/nginx.ts'
import type { Service } from './children.ts'

export interface BackEnd extends Service {
  readonly port: number
}

const bodyLength = 1 * KiB

/** An HTTP server that answers everything with 1 KiB, on the load's core: nginx if it is there, for it is cheapest. */
export async function startBackEnd(bench: Bench): Promise<BackEnd> {
  const { children, cores } = bench
  const port = await freePort()
  const folder = newFolder(bench, 'back-end')
  const place = { name: 'the back end', folder, core: cores.load, port, children }
  if ((await nginx.version()) !== undefined) {
    const body = 'x'.repeat(bodyLength)
    const http = `access_log off; server { listen 127.0.0.1:${port}; return 200 "${body}"; }`
    return { port, ...(await startNginx({ ...place, http })) }
  }
  const args = [
    new URL('./load/back-end.ts', import.meta.url).pathname,
    JSON.stringify({ port, bodyLength }),
  ]
  return { port, ...(await children.startService({ ...place, program: process.execPath, args })) }
}
