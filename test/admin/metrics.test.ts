import t from 'tap'
import { createMetrics } from '../../src/admin/metrics.ts'
import {
  type Counts,
  createTally,
  followResources,
  ownMemory,
  type Tally,
} from '../../src/admin/tally.ts'
import { buildInForce } from '../support/in-force.ts'
import { recordOf } from '../support/records.ts'
import { statusOf } from '../support/status.ts'

const inForce = buildInForce({
  resources: [{ id: 'orders', hosts: ['orders.test'], backend: 'http://127.0.0.1:1' }],
})
const [orders] = inForce.snapshot.resources.values()
const key = orders?.id.key ?? ''

function resourcesOf(tally: Tally, keys: readonly string[]): Counts['resources'] {
  return followResources(tally.counts.resources, { keys, allocate: ownMemory })
}

function tallyOfOrders(): Tally {
  const tally = createTally()
  tally.setResources(resourcesOf(tally, [key]))
  return tally
}

async function linesOf(tally: Tally, status = statusOf()): Promise<readonly string[]> {
  const text = await createMetrics(
    () => tally.counts,
    () => status,
  )()
  return text.split('\n')
}

function about(lines: readonly string[], name: string): readonly string[] {
  return lines.filter((line) => line.startsWith(name))
}

void t.test('createMetrics counts decisions by what they are, and end lines not', async (t) => {
  const tally = tallyOfOrders()
  const denied = recordOf({ decision: { resource: orders } })
  tally.decided(denied)
  tally.decided(denied)
  tally.decided(
    recordOf({
      decision: { resource: orders },
      end: { bytesIn: 1, bytesOut: 1, durationMs: 1, closeReason: 'complete' },
    }),
  )
  tally.decided(
    recordOf({
      decision: {
        direction: 'Outbound',
        effect: 'deny',
        category: undefined,
        reason: 'unknown-caller',
      },
    }),
  )
  t.strictSame(about(await linesOf(tally), 'ringfence_decisions_total'), [
    'ringfence_decisions_total{direction="Outbound",category="",reason="unknown-caller",resource="",effect="deny"} 1',
    `ringfence_decisions_total{direction="Inbound",category="NspPublicInboundPerimeterRulesDenied",reason="no-matching-rule",resource="${key}",effect="deny"} 2`,
  ])
})

void t.test('createMetrics has series for resources of the settings only', async (t) => {
  const tally = createTally()
  tally.decided(recordOf({ decision: { resource: orders } }))
  t.match(about(await linesOf(tally), 'ringfence_decisions_total'), [/resource="",/])
  tally.setResources(resourcesOf(tally, [key]))
  tally.decided(recordOf({ decision: { resource: orders } }))
  t.equal(about(await linesOf(tally), 'ringfence_decisions_total').length, 2)
  tally.setResources(resourcesOf(tally, []))
  t.equal(about(await linesOf(tally), 'ringfence_decisions_total').length, 1)
})

void t.test('createMetrics counts requests, tunnels, bytes and what is open', async (t) => {
  const tally = tallyOfOrders()
  tally.opened('connection', 'Inbound')
  tally.opened('request', 'Inbound')
  tally.opened('tunnel', 'Outbound')
  tally.opened('tunnel', 'Outbound')
  const common = { resource: key, bytesIn: 3, bytesOut: 5, durationMs: 7 }
  tally.ended({ ...common, kind: 'request', direction: 'Inbound', status: 403 })
  tally.ended({ ...common, kind: 'tunnel', direction: 'Outbound', status: 200 })
  const lines = await linesOf(tally)
  for (const line of [
    `ringfence_requests_total{direction="Inbound",resource="${key}",status="4xx"} 1`,
    `ringfence_tunnels_total{direction="Outbound",resource="${key}"} 1`,
    `ringfence_bytes_total{direction="Inbound",resource="${key}",flow="in"} 3`,
    `ringfence_bytes_total{direction="Outbound",resource="${key}",flow="out"} 5`,
    'ringfence_connections_total{direction="Inbound"} 1',
    'ringfence_open{kind="connection",direction="Inbound"} 1',
    'ringfence_open{kind="request",direction="Inbound"} 0',
    'ringfence_open{kind="tunnel",direction="Outbound"} 1',
  ]) {
    t.ok(lines.includes(line), line)
  }
})

void t.test('createMetrics has a latency histogram that adds up', async (t) => {
  const tally = tallyOfOrders()
  for (const durationMs of [0.5, 8, 60_000]) {
    const exchange = { kind: 'request', direction: 'Inbound', resource: key, status: 200 } as const
    tally.ended({ ...exchange, bytesIn: 0, bytesOut: 0, durationMs })
  }
  const lines = about(await linesOf(tally), 'ringfence_request_duration_seconds')
  const name = 'ringfence_request_duration_seconds'
  for (const line of [
    `${name}_bucket{direction="Inbound",le="0.001"} 1`,
    `${name}_bucket{direction="Inbound",le="0.005"} 1`,
    `${name}_bucket{direction="Inbound",le="0.01"} 2`,
    `${name}_bucket{direction="Inbound",le="10"} 2`,
    `${name}_bucket{direction="Inbound",le="+Inf"} 3`,
    `${name}_sum{direction="Inbound"} 60.0085`,
    `${name}_count{direction="Inbound"} 3`,
    `${name}_count{direction="Outbound"} 0`,
  ]) {
    t.ok(lines.includes(line), line)
  }
})

void t.test('createMetrics tells how the process is', async (t) => {
  const lines = await linesOf(
    createTally(),
    statusOf({
      reloads: 4,
      reloadFailures: 2,
      lastReloadFailed: true,
      faults: 1,
      accessLog: { state: 'losing', accepted: 9, lost: 3 },
    }),
  )
  for (const line of [
    'ringfence_policy_reloads_total 4',
    'ringfence_policy_reload_failures_total 2',
    'ringfence_policy_last_reload_failed 1',
    'ringfence_policy_info{version="v1"} 1',
    'ringfence_access_log_records_total 9',
    'ringfence_access_log_lost_total 3',
    'ringfence_access_log_state{state="losing"} 1',
    'ringfence_access_log_state{state="written"} 0',
    'ringfence_faults_total 1',
  ]) {
    t.ok(lines.includes(line), line)
  }
  t.ok(lines.some((line) => line.startsWith('nodejs_eventloop_lag_p99_seconds')))
  t.ok(lines.some((line) => line.startsWith('process_cpu_seconds_total')))
})

void t.test('createMetrics gives the same figures when asked twice', async (t) => {
  const tally = tallyOfOrders()
  tally.decided(recordOf({ decision: { resource: orders } }))
  const metrics = createMetrics(
    () => tally.counts,
    () => statusOf({ reloads: 1 }),
  )
  const ours = (text: string): readonly string[] =>
    text.split('\n').filter((line) => line.startsWith('ringfence_'))
  t.strictSame(ours(await metrics()), ours(await metrics()))
})
