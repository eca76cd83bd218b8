import type { Server } from 'node:http'
import { createEndpointServer, type Endpoint, json } from './http-server.ts'
import { type CurrentStatus, isReady } from './status.ts'

/** The health listener: is it alive, may traffic come, how much did it do. Nothing here reveals or changes policy. */

export interface HealthPorts {
  readonly status: CurrentStatus
  /** Text exposition of everything that is counted. */
  readonly metrics: () => Promise<string>
  readonly onFault: (error: unknown) => void
}

/** Creates the server; the caller listens and closes. */
export function createHealthServer(ports: HealthPorts): Server {
  return createEndpointServer(healthEndpoints(ports), ports.onFault)
}

function healthEndpoints({ status, metrics }: HealthPorts): readonly Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/livez',
      about: 'whether the process answers',
      answer: () => ({ status: 200, contentType: 'text/plain; charset=utf-8', body: 'ok\n' }),
    },
    {
      method: 'GET',
      path: '/readyz',
      about: 'whether traffic may come, and which policy is in force',
      answer: () => readiness(status),
    },
    {
      method: 'GET',
      path: '/metrics',
      about: 'Prometheus metrics',
      answer: async () => ({
        status: 200,
        contentType: 'text/plain; version=0.0.4; charset=utf-8',
        body: await metrics(),
      }),
    },
  ]
}

function readiness(current: CurrentStatus): ReturnType<Endpoint['answer']> {
  const status = current()
  const ready = isReady(status)
  return json(ready ? 200 : 503, {
    ready,
    draining: status.draining,
    policyVersion: status.policyVersion ?? null,
    loadedAt: status.loadedAt === undefined ? null : new Date(status.loadedAt).toISOString(),
    lastReloadFailed: status.lastReloadFailed,
    needsRestart: status.needsRestart.length > 0,
    accessLog: status.accessLog.state,
    workers: { wanted: status.workers.wanted, serving: status.workers.serving },
    warnings: status.warnings,
  })
}
