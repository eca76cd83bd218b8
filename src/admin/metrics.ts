import { logStates } from '../audit/log-writer.ts'
import { loadOnce } from '../load-once.ts'
import { categories } from '../perimeter/category.ts'
import { decisionReasons } from '../reasons.ts'
import type { CurrentStatus } from './status.ts'
import {
  type Counts,
  decisionIndex,
  directionIndex,
  directions,
  effects,
  exchangeIndex,
  exchangeKinds,
  latencyBoundsMs,
  statusClasses,
} from './tally.ts'

/** Names and labels for what was counted, built when somebody asks. */

/**
 * Makes the function that answers `/metrics`. The Prometheus client is loaded at the first call: it would cost every
 * start about 50 ms.
 */
export function createMetrics(counted: () => Counts, status: CurrentStatus): () => Promise<string> {
  const registry = loadOnce(() => createRegistry(counted, status))
  return async () => {
    const loaded = await registry()
    return `${await loaded.metrics()}\n${formatLatency(counted())}`
  }
}

async function createRegistry(
  counted: () => Counts,
  status: CurrentStatus,
): Promise<{ metrics(): Promise<string> }> {
  const { Counter, Gauge, Registry, collectDefaultMetrics } = await import('@prometheus-io/client')
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })

  counter('ringfence_decisions_total', 'Decisions of the policy, one for each access record', {
    labels: ['direction', 'category', 'reason', 'resource', 'effect'],
    values: function* () {
      for (const [resource, counts] of counted().resources)
        yield* decisionsOf(resource, counts.decisions)
    },
  })
  counter('ringfence_requests_total', 'Requests that came to their end', {
    labels: ['direction', 'resource', 'status'],
    values: function* () {
      for (const [resource, counts] of counted().resources)
        for (const direction of directions)
          for (const [index, statusClass] of statusClasses.entries())
            yield [
              [direction, resource, statusClass],
              counts.requests[directionIndex(direction) * statusClasses.length + index] ?? 0,
            ]
    },
  })
  counter(
    'ringfence_tunnels_total',
    'Tunnels, upgrades and TCP connections that came to their end',
    {
      labels: ['direction', 'resource'],
      values: function* () {
        for (const [resource, counts] of counted().resources)
          for (const direction of directions)
            yield [[direction, resource], counts.tunnels[directionIndex(direction)] ?? 0]
      },
    },
  )
  counter(
    'ringfence_bytes_total',
    'Bytes of bodies and tunnels: `in` from the client, `out` to it',
    {
      labels: ['direction', 'resource', 'flow'],
      values: function* () {
        for (const [resource, counts] of counted().resources)
          for (const direction of directions)
            for (const [index, flow] of ['in', 'out'].entries())
              yield [
                [direction, resource, flow],
                counts.bytes[directionIndex(direction) * 2 + index] ?? 0,
              ]
      },
    },
  )
  counter('ringfence_connections_total', 'Connections of clients that were accepted', {
    labels: ['direction'],
    values: function* () {
      for (const direction of directions)
        yield [[direction], counted().begun[exchangeIndex('connection', direction)] ?? 0]
    },
  })
  gauge('ringfence_open', 'What is open: connections of clients, requests, tunnels', {
    labels: ['kind', 'direction'],
    values: function* () {
      const { begun, over } = counted()
      for (const kind of exchangeKinds)
        for (const direction of directions) {
          const index = exchangeIndex(kind, direction)
          yield [[kind, direction], (begun[index] ?? 0) - (over[index] ?? 0)]
        }
    },
  })
  single(counter, 'ringfence_policy_reloads_total', 'Reloads that took effect', (s) => s.reloads)
  single(
    counter,
    'ringfence_policy_reload_failures_total',
    'Reloads that failed: the policy before them stayed in force',
    (s) => s.reloadFailures,
  )
  single(
    gauge,
    'ringfence_policy_last_reload_failed',
    '1 while the files on disk are not what is in force because they are broken',
    (s) => (s.lastReloadFailed ? 1 : 0),
  )
  single(
    gauge,
    'ringfence_needs_restart',
    '1 while settings have changed that count only after a restart',
    (s) => (s.needsRestart.length > 0 ? 1 : 0),
  )
  single(
    gauge,
    'ringfence_policy_loaded_timestamp_seconds',
    'When the policy in force was loaded',
    (s) => (s.loadedAt ?? 0) / 1000,
  )
  gauge('ringfence_policy_info', 'Version of the policy in force', {
    labels: ['version'],
    values: function* () {
      const { policyVersion } = status()
      if (policyVersion !== undefined) yield [[policyVersion], 1]
    },
  })
  single(gauge, 'ringfence_judged_open', 'What a reload would judge again', (s) => s.open)
  single(
    counter,
    'ringfence_access_log_records_total',
    'Records that the access log accepted',
    (s) => s.accessLog.accepted,
  )
  single(
    counter,
    'ringfence_access_log_lost_total',
    'Records that were lost because the disk or the reader did not keep up',
    (s) => s.accessLog.lost,
  )
  gauge('ringfence_access_log_state', 'How the access log is: 1 for the state that it is in', {
    labels: ['state'],
    values: function* () {
      const { state } = status().accessLog
      for (const one of logStates) yield [[one], one === state ? 1 : 0]
    },
  })
  single(gauge, 'ringfence_workers', 'Threads that serve', (s) => s.workers.serving)
  single(
    counter,
    'ringfence_workers_replaced_total',
    'Threads that have ended and whose place another has taken',
    (s) => s.workers.replaced,
  )
  single(
    counter,
    'ringfence_faults_total',
    'Faults that nobody handled: each is a bug, the operational log has it',
    (s) => s.faults,
  )
  return registry

  function counter(name: string, help: string, series: Series): void {
    new Counter({
      name,
      help,
      registers,
      labelNames: series.labels,
      collect() {
        this.reset()
        for (const [values, count] of series.values())
          if (count > 0 || series.labels.length === 0) this.labels(...values).inc(count)
      },
    })
  }

  function gauge(name: string, help: string, series: Series): void {
    new Gauge({
      name,
      help,
      registers,
      labelNames: series.labels,
      collect() {
        this.reset()
        for (const [values, value] of series.values()) this.labels(...values).set(value)
      },
    })
  }

  function single(
    kind: (name: string, help: string, series: Series) => void,
    ...[name, help, read]: [string, string, (current: ReturnType<CurrentStatus>) => number]
  ): void {
    kind(name, help, {
      labels: [],
      values: function* () {
        yield [[], read(status())]
      },
    })
  }
}

/** The label names of a metric and its values in their order. A counter's zeros are left out. */
interface Series {
  readonly labels: string[]
  readonly values: () => Iterable<readonly [labels: readonly string[], value: number]>
}

function* decisionsOf(
  resource: string,
  counts: Float64Array,
): Iterable<readonly [readonly string[], number]> {
  for (const direction of directions)
    for (const effect of effects)
      for (const category of [undefined, ...categories])
        for (const reason of decisionReasons) {
          const count = counts[decisionIndex({ direction, effect, category, reason })] ?? 0
          if (count > 0) yield [[direction, category ?? '', reason, resource, effect], count]
        }
}

/** The histogram by hand: the client's own would be fed one label object a request. */
function formatLatency(counts: Counts): string {
  const name = 'ringfence_request_duration_seconds'
  const lines = [
    `# HELP ${name} From the first byte of a request to the last of its answer`,
    `# TYPE ${name} histogram`,
  ]
  for (const [index, direction] of directions.entries()) {
    const latency = counts.latency[index]
    if (latency === undefined) continue
    let below = 0
    for (const [bucket, count] of latency.buckets.entries()) {
      below += count
      const boundMs = latencyBoundsMs[bucket]
      const bound = boundMs === undefined ? '+Inf' : String(boundMs / 1000)
      lines.push(`${name}_bucket{direction="${direction}",le="${bound}"} ${below}`)
    }
    lines.push(`${name}_sum{direction="${direction}"} ${(latency.sum[0] ?? 0) / 1000}`)
    lines.push(`${name}_count{direction="${direction}"} ${below}`)
  }
  return `${lines.join('\n')}\n`
}
