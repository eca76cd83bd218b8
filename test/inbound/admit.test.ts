import t from 'tap'
import { parsePeer } from '../../src/identity/evidence.ts'
import type { AccessRecord } from '../../src/audit/record.ts'
import { type Admission, admit } from '../../src/inbound/admit.ts'
import type { RequestFacts } from '../../src/inbound/judge-request.ts'
import type { InboundPorts } from '../../src/inbound/ports.ts'
import { ownViaOf } from '../../src/wire/via.ts'
import { createOpenConnections } from '../../src/transport/connections.ts'
import { closedShop, openShop } from '../support/inbound-world.ts'
import { type HeldInForce, holdInForce } from '../support/in-force.ts'

const inbound = [{ name: 'public' }]
const open = { inbound, ...openShop('http://127.0.0.1:1') }
const closed = { inbound, ...closedShop('http://127.0.0.1:1') }

const facts: RequestFacts = {
  listener: 'public',
  method: 'GET',
  target: '/',
  httpVersion: '1.1',
  rawHeaders: ['Host', 'orders.test'],
  isSecure: false,
  peer: parsePeer('127.0.0.1'),
  peerPort: 1,
  delivery: undefined,
}

interface Given {
  readonly inForce: HeldInForce
  /** What happens between the decision and its registration. */
  readonly beforeRegister?: () => void
  readonly neverRegisters?: boolean
  readonly isFull?: (resource: string) => boolean
}

function admitting({ inForce, beforeRegister, neverRegisters, isFull }: Given): {
  admission: Admission
  records: AccessRecord[]
  registered: number
  complaints: unknown[]
} {
  const records: AccessRecord[] = []
  const complaints: unknown[] = []
  const registry = createOpenConnections({ version: () => inForce.current()?.version ?? '' })
  const ports: InboundPorts = {
    currentInForce: inForce.current,
    accessLog: { accept: (record) => records.push(record), blocksNewWork: false },
    openConnections: {
      get size() {
        return registry.size
      },
      register(entry, judged) {
        beforeRegister?.()
        return neverRegisters !== true && registry.register(entry, judged)
      },
      unregister: (entry) => registry.unregister(entry),
      judgeAgain: (version) => registry.judgeAgain(version),
    },
    meter: { opened: () => {}, ended: () => {} },
    log: {
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: (...words: unknown[]) => complaints.push(words),
    },
    verifyToken: () => ({ kind: 'nothing', note: '', until: 0 }) as const,
    newCorrelationId: () => 'unused',
    via: () => ownViaOf('0123456789abcdef'),
    now: () => 1,
    monotonicNow: () => 1,
  }
  const admission = admit(ports, facts, {
    correlationId: 'id',
    revoke: () => {},
    ...(isFull === undefined ? {} : { isFull }),
  })
  return { admission, records, registered: registry.size, complaints }
}

void t.test('admit registers what it admits and writes one record', async (t) => {
  const { admission, records, registered } = admitting({ inForce: holdInForce(open) })
  t.equal(admission.kind, 'admitted')
  t.equal(registered, 1)
  t.match(records, [{ correlationId: 'id', decision: { effect: 'allow' } }])
})

void t.test(
  'a policy that comes into force between decision and registration decides',
  async (t) => {
    const inForce = holdInForce(open)
    const { admission, records, registered } = admitting({
      inForce,
      beforeRegister: () => inForce.swap(closed),
    })
    t.equal(admission.kind, 'refused')
    t.equal(registered, 0)
    t.match(records, [
      {
        decision: {
          effect: 'deny',
          reason: 'no-matching-rule',
          policyVersion: inForce.current()?.version,
        },
      },
    ])
    t.equal(records.length, 1)
  },
)

void t.test('one that allows it as well changes nothing', async (t) => {
  const inForce = holdInForce(open)
  const { admission, registered } = admitting({
    inForce,
    beforeRegister: () => inForce.swap({ ...open, endLineAfterMs: 5 }),
  })
  t.equal(admission.kind, 'admitted')
  t.equal(registered, 1)
})

void t.test('policies that never come to rest deny in the end', async (t) => {
  const { admission, records, registered } = admitting({
    inForce: holdInForce(open),
    neverRegisters: true,
  })
  t.equal(admission.kind, 'refused')
  t.equal(registered, 0)
  t.match(records, [{ decision: { effect: 'deny', reason: 'policy-revoked' } }])
  t.equal(records.length, 1)
})

void t.test('a resource that has too much open is a limit, with its resource', async (t) => {
  const asked: string[] = []
  const { admission, records, registered } = admitting({
    inForce: holdInForce(open),
    isFull(resource) {
      asked.push(resource)
      return true
    },
  })
  t.equal(admission.kind, 'refused')
  t.equal(registered, 0)
  t.equal(asked.length, 1)
  t.match(records, [
    {
      decision: { reason: 'limit', resource: { id: { name: 'orders' } } },
      serviceFqdn: 'orders.test',
    },
  ])
})

// Envoy CVE-2024-23324: an authoriser that failed let everybody in.
void t.test('a fault denies with internal-error and is logged', async (t) => {
  const inForce = holdInForce(open)
  const broken: HeldInForce = {
    ...inForce,
    current() {
      const now = inForce.current()
      return now && { ...now, settings: { ...now.settings, inbound: undefined as never } }
    },
  }
  const { admission, records, complaints } = admitting({ inForce: broken })
  t.equal(admission.kind, 'refused')
  t.match(records, [{ decision: { effect: 'deny', reason: 'internal-error' } }])
  t.equal(complaints.length, 1)
})
