import type { Server } from 'node:http'
import type { CurrentInForce } from '../settings/in-force.ts'
import type { Denial } from './denials.ts'
import { createEndpointServer, type Endpoint, json, jsonType } from './http-server.ts'
import { viewPolicy } from './policy-view.ts'
import { type CurrentStatus, isReady } from './status.ts'

/**
 * The admin socket: HTTP over a Unix socket that only its owner may open (mode 0600). Who can connect is whom the file
 * system lets; there is no other authentication, so it never listens on a port.
 *
 *   curl --unix-socket /run/ringfence/admin.sock http://admin/status
 */

/** What a reload came to, as `POST /reload` answers it and the operational log prints it. */
export type ReloadOutcome =
  | {
      readonly kind: 'reloaded'
      readonly version: string
      /** False: the files say what was in force already. */
      readonly changed: boolean
      readonly needsRestart: readonly string[]
      readonly warnings: readonly string[]
    }
  | {
      readonly kind: 'failed'
      /** Of what stays in force. */
      readonly version: string | undefined
      /** One line each. */
      readonly problems: readonly string[]
    }

export interface AdminPorts {
  readonly currentInForce: CurrentInForce
  readonly status: CurrentStatus
  /** Newest first; with a correlation id, only its denials. */
  readonly denials: (correlationId?: string) => Promise<readonly Denial[]>
  readonly reload: () => Promise<ReloadOutcome>
  readonly onFault: (error: unknown) => void
}

/** Creates the server; the caller listens, with mode 0600, and closes. */
export function createAdminServer(ports: AdminPorts): Server {
  return createEndpointServer(adminEndpoints(ports), ports.onFault)
}

function adminEndpoints(ports: AdminPorts): readonly Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/status',
      about: 'version, start, reloads and their problems, what needs a restart',
      answer: () => statusAnswer(ports.status),
    },
    {
      method: 'GET',
      path: '/policy',
      about: 'the policy in force',
      answer: () => {
        const inForce = ports.currentInForce()
        return inForce === undefined
          ? json(503, { error: 'no policy is in force: everything is denied' })
          : { status: 200, contentType: jsonType, body: viewPolicy(inForce) }
      },
    },
    {
      method: 'GET',
      path: '/denials',
      about: 'recent denials, newest first; ?correlationId= finds one',
      answer: async (query) =>
        json(200, { denials: await ports.denials(query.get('correlationId') ?? undefined) }),
    },
    {
      method: 'POST',
      path: '/reload',
      about: 'reads settings and perimeters again; 422 with every problem where they are broken',
      answer: async () => {
        const outcome = await ports.reload()
        const { kind, ...rest } = outcome
        return json(kind === 'reloaded' ? 200 : 422, { reloaded: kind === 'reloaded', ...rest })
      },
    },
  ]
}

function statusAnswer(current: CurrentStatus): ReturnType<typeof json> {
  const status = current()
  return json(200, {
    ready: isReady(status),
    instance: status.instance,
    policyVersion: status.policyVersion ?? null,
    startedAt: new Date(status.startedAt).toISOString(),
    loadedAt: status.loadedAt === undefined ? null : new Date(status.loadedAt).toISOString(),
    draining: status.draining,
    reloads: status.reloads,
    reloadFailures: status.reloadFailures,
    lastReloadFailed: status.lastReloadFailed,
    lastProblems: status.lastProblems,
    needsRestart: status.needsRestart,
    faults: status.faults,
    open: status.open,
    accessLog: status.accessLog,
    workers: status.workers,
    warnings: status.warnings,
  })
}
