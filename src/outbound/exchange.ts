import type { AccessRecord, RecordDestination, RecordSource } from '../audit/record.ts'
import type { ExchangeKind } from '../audit/meter.ts'
import type { Decision } from '../policy/decision.ts'
import type { CloseReason } from '../reasons.ts'
import type { Judged } from '../transport/connections.ts'
import type { IpAddress } from '../wire/address.ts'
import { type Authority, formatAuthority } from '../wire/authority.ts'
import type { TokenFinding } from '../identity/token-finding.ts'
import { type CallerEvidence, endOf, evidenceAt } from './caller-evidence.ts'
import type { ClientHello } from '../wire/client-hello.ts'
import type { Hostname } from '../wire/hostname.ts'
import { OpenSlot } from './open-slot.ts'
import type { OutboundPorts } from './ports.ts'
import {
  type Admitted,
  type Asked,
  denied,
  decide,
  judgeAgain,
  judgeHello,
  speakerFor,
  type Standing,
  standingOf,
} from './verdict.ts'

/** The other end of a client's connection, read when it was accepted: a socket that is gone has forgotten it. */
export interface Peer {
  /** Undefined on a Unix socket. */
  readonly address: IpAddress | undefined
  readonly port: number | undefined
}

/** Where a request came from and what it calls itself. */
export interface Origin {
  readonly listener: string
  readonly peer: IpAddress | undefined
  readonly peerPort: number | undefined
  /** The method. */
  readonly operationName: string
}

/**
 * One request from its head to its last byte: writes its one record of the final effect, registers it as open, meters
 * it, and writes its end line. Each of these at most once.
 */
export class Exchange implements Judged {
  readonly correlationId: string
  readonly origin: Origin
  /** Bytes of content from the client and to it; whoever moves them counts them. */
  bytesIn = 0
  bytesOut = 0
  /** Fields of the client that were removed because nobody believes them. */
  removedHeaders: readonly string[] = []
  /** What the request says about who asks, once that is known. */
  evidence: CallerEvidence | undefined
  readonly #ports: OutboundPorts
  readonly #startedAt: number
  #kind: ExchangeKind
  #record: AccessRecord | undefined
  #slot: OpenSlot | undefined
  #ownsSlot = false
  #standing: Standing | undefined
  #revoke: (() => void) | undefined
  #closedAs: CloseReason | undefined

  constructor(ports: OutboundPorts, origin: Origin) {
    this.#ports = ports
    this.origin = origin
    this.correlationId = ports.newCorrelationId()
    this.#startedAt = ports.monotonicNow()
    this.#kind = 'request'
    ports.meter.opened('request', 'Outbound')
  }

  asked(destination: Authority): Asked {
    const { listener, peer } = this.origin
    const evidence = evidenceAt(this.evidence, this.#ports.now())
    return { listener, peer, evidence, destination }
  }

  /** A denial before the stages, for the member that the listener speaks for, if it speaks for one to this client. */
  deny(reason: 'bad-request' | 'limit' | 'loop' | 'internal-error'): Decision {
    const inForce = this.#ports.currentInForce()
    const { evidence, origin } = this
    const resource = inForce && speakerFor(inForce, { ...origin, evidence })
    return denied(reason, resource, inForce?.version ?? '').decision
  }

  /**
   * Writes the one record of the final effect. Later calls do nothing: what fails after it is an end line. One that
   * comes after the end, because the client left while its destination was sought, brings its end line with it.
   */
  record(
    decision: Decision,
    more: { destination?: RecordDestination; detail?: string | undefined } = {},
  ): void {
    if (this.#record !== undefined) return
    this.#record = {
      time: this.#ports.now(),
      correlationId: this.correlationId,
      decision,
      operationName: this.origin.operationName,
      serviceFqdn: undefined,
      source: this.#source(decision),
      destination: more.destination,
      removedHeaders: this.removedHeaders,
      detail: more.detail,
      end: undefined,
    }
    this.#ports.accessLog.accept(this.#record)
    if (this.#closedAs !== undefined) this.#writeEnd(this.#record, this.#closedAs)
  }

  get recorded(): boolean {
    return this.#record !== undefined
  }

  /**
   * Registers it as open with its original facts, before the first byte moves. False: no longer allowed, and the caller
   * must end it. `slot`: what stands for it; absent: an entry of its own.
   */
  open(
    asked: Asked,
    more: {
      readonly admitted: Admitted
      readonly address: IpAddress | undefined
      readonly revoke: () => void
      readonly slot?: OpenSlot
    },
  ): boolean {
    this.#leave()
    this.#standing = standingOf(asked, more)
    this.#revoke = more.revoke
    const slot = more.slot ?? new OpenSlot()
    slot.current = this
    slot.entry.version = more.admitted.inForce.version
    slot.entry.expiresAt = endOf(this.evidence)
    this.#slot = slot
    this.#ownsSlot = more.slot === undefined
    if (this.#ports.openConnections.register(slot.entry, slot)) return true
    this.#leave()
    return false
  }

  /**
   * What the client said first in its tunnel, a fact of it from now on: judged by what is in force now, and recorded where
   * there is something to say. Gives why it must not go on, or undefined.
   */
  hear(hello: ClientHello): CloseReason | undefined {
    const standing = this.#standing
    if (standing === undefined || this.#record === undefined) return 'internal-error'
    this.#standing = { ...standing, hello }
    const verdict = decide(standing.asked, this.#ports.currentInForce())
    if (verdict.kind === 'denied') return 'policy-revoked'
    const decision = judgeHello(hello, standing.asked, verdict)
    if (decision === undefined) return undefined
    const { destination } = this.#record
    const name = nameIn(hello)
    this.#ports.accessLog.accept({
      ...this.#record,
      time: this.#ports.now(),
      operationName: 'ClientHello',
      decision,
      destination:
        destination && name !== undefined
          ? { ...destination, fullyQualifiedDomainName: name }
          : destination,
    })
    return decision.effect === 'deny' ? decision.reason : undefined
  }

  judge(): boolean {
    const standing = this.#standing && this.#standingNow(this.#standing)
    try {
      const decision = standing && judgeAgain(standing, this.#ports.currentInForce())
      if (decision === undefined) return false
      // The end line shows what allowed it last, and nothing keeps the policy alive that allowed it first.
      if (this.#record !== undefined) this.#record = { ...this.#record, decision }
      return true
    } catch (error) {
      this.#ports.log.error({ err: error }, 'an open exchange could not be judged')
      return false
    }
  }

  /** What was proven may be over: from then on it waits for nothing any more, and is judged without. */
  #standingNow(standing: Standing): Standing {
    const evidence = evidenceAt(standing.asked.evidence, this.#ports.now())
    if (evidence === standing.asked.evidence) return standing
    if (this.#slot !== undefined) this.#slot.entry.expiresAt = Number.POSITIVE_INFINITY
    return { ...standing, asked: { ...standing.asked, evidence } }
  }

  revoke(): void {
    this.#revoke?.()
  }

  /** What a token comes to. */
  verifyToken(token: string): TokenFinding | Promise<TokenFinding> {
    return this.#ports.verifyToken(token)
  }

  /** Nothing of it is open any more, or not yet again: a second attempt has another address. */
  #leave(): void {
    const slot = this.#slot
    if (slot === undefined) return
    this.#slot = undefined
    slot.current = undefined
    if (this.#ownsSlot) this.#ports.openConnections.unregister(slot.entry)
  }

  /** From here on it is a tunnel to the meter. */
  becomeTunnel(status: number): void {
    if (this.#kind === 'tunnel') return
    this.#meterEnd(status)
    this.#kind = 'tunnel'
    this.#ports.meter.opened('tunnel', 'Outbound')
  }

  /**
   * Its end: off the registry, to the meter, and an end line where one is due: always for tunnels and for whatever was
   * allowed and did not complete, else for what lasted.
   */
  close(closeReason: CloseReason, status?: number): void {
    if (this.#closedAs !== undefined) return
    this.#closedAs = closeReason
    this.#leave()
    this.#meterEnd(status)
    if (this.#record !== undefined) this.#writeEnd(this.#record, closeReason)
  }

  #writeEnd(record: AccessRecord, closeReason: CloseReason): void {
    if (record.decision.effect === 'deny') return
    const { bytesIn, bytesOut, durationMs } = this
    if (this.#kind !== 'tunnel' && closeReason === 'complete' && !this.#lasted(durationMs)) return
    const end = { bytesIn, bytesOut, durationMs, closeReason }
    this.#ports.accessLog.accept({ ...record, time: this.#ports.now(), end })
  }

  /** Ports that FQDN rules cover by what is in force now. */
  get egressPorts(): ReadonlySet<number> | undefined {
    return this.#ports.currentInForce()?.snapshot.egressPorts
  }

  /** Whether the listener knows members by credentials, so that others may be asked for them. */
  get knowsCredentials(): boolean {
    const settings = this.#ports.currentInForce()?.settings
    const listener = settings?.outbound.find(({ name }) => name === this.origin.listener)
    return listener?.callers.some(({ basic }) => basic !== undefined) ?? false
  }

  get durationMs(): number {
    return this.#ports.monotonicNow() - this.#startedAt
  }

  #lasted(durationMs: number): boolean {
    const settings = this.#ports.currentInForce()?.settings
    return settings === undefined || durationMs >= settings.audit.endLineAfterMs
  }

  #meterEnd(status: number | undefined): void {
    this.#ports.meter.ended({
      kind: this.#kind,
      direction: 'Outbound',
      resource: this.#record?.decision.resource?.id.key,
      status,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      durationMs: this.durationMs,
    })
  }

  #source({ resource }: Decision): RecordSource {
    const { peer, peerPort } = this.origin
    const guid = resource?.association?.perimeter.guid
    return {
      ipAddress: peer?.text,
      port: peerPort,
      protocol: 'HTTP:TCP',
      resourceId: resource?.id,
      perimeterGuids: guid === undefined ? [] : [guid],
      subscriptions: resource === undefined ? [] : [resource.id.subscriptionId],
    }
  }
}

/** The name that a client asked for, where it is one that a name can be. */
function nameIn(hello: ClientHello): Hostname | undefined {
  if (hello.kind === 'encrypted') return hello.outer
  return hello.kind === 'name' ? hello.name : undefined
}

/** The destination of a record. `address` is the one that is dialled first, or that the guard refused. */
export function describeDestination(
  asked: Asked,
  more: { protocol: string; admitted?: Admitted; address?: IpAddress | undefined },
): RecordDestination {
  const { host, port } = asked.destination
  const route = more.admitted?.route
  return {
    resourceId: route !== undefined && 'member' in route ? route.member.id : undefined,
    fullyQualifiedDomainName: host.kind === 'name' ? host.name : undefined,
    ipAddress: more.address?.text ?? (host.kind === 'address' ? host.text : undefined),
    port,
    protocol: more.protocol,
    upstreamProxy: route?.kind === 'proxied' ? formatAuthority(route.proxy.authority) : undefined,
  }
}
