import type { Server } from 'node:http'
import { type AdminPorts, createAdminServer } from '../admin/admin-socket.ts'
import { createHealthServer, type HealthPorts } from '../admin/health.ts'
import type { OperationalLog } from '../audit/operational-log.ts'
import type { ListenAddress, Settings } from '../settings/settings.ts'
import { listen } from '../transport/listener.ts'
import type { Bound } from './bound.ts'
import type { Faults } from './faults.ts'

/** The two doors beside the proxies: health for probes, admin for operators. Either may be absent. */

interface DoorOptions {
  readonly settings: Settings
  readonly faults: Faults
  readonly log: OperationalLog
  /** Takes over closing. */
  readonly opened: AsyncDisposableStack
}

export async function openHealth(
  options: DoorOptions & Omit<HealthPorts, 'onFault'>,
): Promise<Bound | undefined> {
  const { health } = options.settings
  if (health === undefined) return undefined
  const server = createHealthServer({ ...options, onFault: options.faults.report })
  return { side: 'health', name: 'health', address: await open(server, health.listen, options) }
}

export async function openAdmin(
  options: DoorOptions & Omit<AdminPorts, 'onFault'>,
): Promise<Bound | undefined> {
  const { admin } = options.settings
  if (admin === undefined) return undefined
  const server = createAdminServer({ ...options, onFault: options.faults.report })
  return { side: 'admin', name: 'admin', address: await open(server, admin, options) }
}

async function open(
  server: Server,
  address: ListenAddress,
  { opened, log }: DoorOptions,
): Promise<ListenAddress> {
  const got = await listen(server, address, {
    onFault: (error) => log.error({ err: error }, 'a listener has failed'),
  })
  opened.defer(() => close(server))
  return got
}

async function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  server.closeAllConnections()
  await promise
}
