import type { AccessLog } from '../audit/record.ts'
import type { Meter } from '../audit/meter.ts'
import type { OperationalLog } from '../audit/operational-log.ts'
import type { Deliver } from '../identity/caller.ts'
import type { TokenFinding } from '../identity/token-finding.ts'
import type { CurrentInForce } from '../settings/in-force.ts'
import type { OpenConnections } from '../transport/connections.ts'
import type { Dial } from '../transport/dial.ts'
import type { Resolver } from '../transport/resolve.ts'
import type { OwnVia } from '../wire/via.ts'

/** What the forward proxy is given. */
export interface OutboundPorts {
  readonly currentInForce: CurrentInForce
  readonly accessLog: AccessLog
  readonly openConnections: OpenConnections
  readonly meter: Meter
  readonly log: OperationalLog
  readonly resolver: () => Resolver
  readonly dial: Dial
  /** Into the inbound side of this instance. */
  readonly deliver: Deliver
  readonly newCorrelationId: () => string
  /** What a token comes to with those whom settings in force trust. A promise only where it has to be verified first. */
  readonly verifyToken: (token: string) => TokenFinding | Promise<TokenFinding>
  /** How a listener names itself in what it forwards. */
  readonly via: (listener: string) => OwnVia
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Milliseconds from an arbitrary start, never going back. */
  readonly monotonicNow: () => number
}
