import { correlationIdOf } from './correlation.ts'
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import type { CloseReason, FailureReason } from '../reasons.ts'
import { cut } from '../transport/cut.ts'
import { type Deadline, sharedDeadlines } from '../transport/deadlines.ts'
import { HeldSlot } from '../transport/held-slot.ts'
import { openTunnel, type Tunnel } from '../transport/tunnel.ts'
import { KiB, seconds } from '../units.ts'
import { headerValues, type RawHeaders } from '../wire/headers.ts'
import type { RefusalReason } from '../wire/refusal.ts'
import type { RequestFacts } from './judge-request.ts'
import { type Admission, admit, type RefuseAs } from './admit.ts'
import { failureReason } from '../transport/backend-failure.ts'
import { backendHeaders, backendHeadersInput, hasBody, upgradeFields } from './backend-headers.ts'
import { type Connection } from './connection.ts'
import { findTarget, type InboundContext } from './context.ts'
import { clientCloseReason, type Exchange, openExchange } from './exchange.ts'
import { whenProven } from './prove.ts'
import { refuseBare } from './refuse.ts'
import { formatHead, relayBareResponse } from './relay-bare-response.ts'
import { clientHeaders } from '../wire/response-head.ts'

/** An upgrade that has arrived; the connection speaks nothing else from here on. */
export interface UpgradeRequest {
  readonly connection: Connection
  readonly facts: RequestFacts
  /** What came behind the head. */
  readonly head: Buffer
}

/** Whether a request wants WebSocket and nothing else; all other protocols are ignored, as RFC 9110 7.8 allows. */
export function wantsWebSocket(rawHeaders: RawHeaders): boolean {
  const [protocol, ...others] = headerValues(rawHeaders, 'upgrade')
  return protocol?.toLowerCase() === 'websocket' && others.length === 0
}

/** Whether it can be one: RFC 6455 4.1, and a body would be taken for what the tunnel carries. */
export function isPlainUpgrade({
  method,
  httpVersion,
  rawHeaders,
}: Pick<RequestFacts, 'method' | 'httpVersion' | 'rawHeaders'>): boolean {
  return (
    method === 'GET' && httpVersion === '1.1' && wantsWebSocket(rawHeaders) && !hasBody(rawHeaders)
  )
}

/**
 * Serves an upgrade: decides, asks the back end, and joins the two once it has answered 101. Until then nothing that
 * the client sends goes on: a back end that does not switch would read it as requests (GHSA-xq2h-p299-vjwv).
 */
export function serveUpgrade(
  context: InboundContext,
  arrived: UpgradeRequest,
  refuseAs?: RefuseAs,
): void {
  new ServedUpgrade(context, arrived).begin(refuseAs)
}

/** What a client may send before the 101; more waits in the kernel. */
const maxHeldBytes = 64 * KiB

/** Before anything is in force; nothing is forwarded then. */
const fallbackIdleMs = seconds(30)

const switchingProtocols = 101

class ServedUpgrade {
  readonly #context: InboundContext
  readonly #connection: Connection
  readonly #exchange: Exchange
  readonly #deadline: Deadline
  readonly #slot: HeldSlot
  #held: Buffer[]
  #heldBytes: number
  #call: ClientRequest | undefined
  #tunnel: Tunnel | undefined
  #isAnswered = false
  #closeReason: CloseReason | undefined

  constructor(context: InboundContext, { facts, connection, head }: UpgradeRequest) {
    const { ports, exchanges } = context
    this.#context = context
    this.#slot = new HeldSlot(context.slots)
    this.#connection = connection
    this.#held = head.length === 0 ? [] : [head]
    this.#heldBytes = head.length
    this.#exchange = openExchange(ports, {
      facts,
      correlationId: correlationIdOf(connection.delivery, ports.newCorrelationId),
      exchanges,
      abort: (reason) => this.#abort(reason),
    })
    this.#deadline = sharedDeadlines.watch({
      idleMs: ports.currentInForce()?.settings.timeouts.bodyIdleMs ?? fallbackIdleMs,
      lifetimeMs: Number.POSITIVE_INFINITY,
      onExpire: () => this.#fail('backend-timeout'),
    })
    const { stream } = connection
    connection.isClosing = true
    stream.on('data', this.#hold)
    // A client that has nothing more to say before it was answered has given up.
    stream.on('end', this.#leave)
    stream.once('close', this.#close)
  }

  begin(refuseAs: RefuseAs | undefined): void {
    const { facts, correlationId } = this.#exchange
    whenProven(this.#context.ports, facts, {
      correlationId,
      refuseAs,
      isOver: () => this.#isOver(),
      next: () => this.#decide(refuseAs),
    })
  }

  #decide(refuseAs: RefuseAs | undefined): void {
    const { ports } = this.#context
    const { facts, correlationId } = this.#exchange
    const limit = ports.currentInForce()?.settings.limits.tunnelsPerResource ?? 0
    const admission = admit(ports, facts, {
      correlationId,
      refuseAs,
      isFull: (resource) => !this.#slot.take(resource, limit),
      revoke: () => this.#abort('policy-revoked'),
    })
    if (admission.kind === 'refused') {
      const { decision, status } = admission.judgement
      this.#refuse(decision.reason, status)
      return
    }
    this.#exchange.admitted = admission.standing
    try {
      this.#ask(admission)
    } catch (error) {
      ports.log.error({ err: error }, 'an upgrade could not be forwarded')
      this.#endWith('internal-error', 'internal-error')
    }
  }

  #ask({ judgement, backend }: Extract<Admission, { kind: 'admitted' }>): void {
    const { backends } = this.#context
    const target = findTarget(this.#context, backend)
    const headers = backendHeaders(
      backendHeadersInput(this.#context, this.#exchange.facts, judgement),
    )
    if (typeof target === 'string') {
      this.#fail(target)
      return
    }
    const send = target.scheme === 'https' ? httpsRequest : httpRequest
    const call = send({
      host: target.host,
      port: target.port,
      method: 'GET',
      path: this.#exchange.facts.target,
      headers: Object.assign(headers, upgradeFields),
      agent: target.fresh,
      setHost: false,
    })
    this.#call = call
    let answer: IncomingMessage | undefined
    call.on('error', (error) => {
      // Behind a whole answer nobody cares; before its end it is cut short, even where only the connection delimits it.
      if (answer?.complete !== true) this.#fail(failureReason(error, backends.phaseOf(call.socket)))
    })
    call.once('upgrade', (response, socket, head) => this.#join(response, socket, head))
    call.once('response', (response) => {
      answer = response
      this.#pass(response)
    })
    call.end()
  }

  #join(response: IncomingMessage, upstream: Duplex, upstreamHead: Buffer): void {
    upstream.on('error', ignore)
    const { stream } = this.#connection
    const { rawHeaders, statusCode: status = 0 } = response
    const { correlationId } = this.#exchange
    const headers = clientHeaders({ status, rawHeaders, correlationId })
    const isSwitched = status === switchingProtocols && wantsWebSocket(rawHeaders)
    if (headers === undefined || !isSwitched || this.#isOver()) {
      upstream.destroy()
      this.#fail('backend-invalid')
      return
    }
    this.#letGo()
    this.#isAnswered = true
    this.#exchange.becomeTunnel(status)
    stream.write(formatHead(status, [...headers, ...Object.entries(upgradeFields).flat()]))
    const timeouts = this.#context.ports.currentInForce()?.settings.timeouts
    this.#tunnel = openTunnel({
      client: stream,
      upstream,
      clientHead: Buffer.concat(this.#held),
      upstreamHead,
      idleMs: timeouts?.tunnelIdleMs ?? fallbackIdleMs,
      lifetimeMs: timeouts?.tunnelLifetimeMs ?? fallbackIdleMs,
      onClose: ({ bytesIn, bytesOut, closeReason }) => {
        this.#exchange.bytesIn = bytesIn
        this.#exchange.bytesOut = bytesOut
        this.#end(closeReason)
      },
    })
    this.#held = []
  }

  /** An ordinary answer. */
  #pass(backendResponse: IncomingMessage): void {
    if (this.#isOver()) {
      backendResponse.destroy()
      return
    }
    this.#deadline.touch()
    this.#isAnswered = true
    this.#exchange.status = backendResponse.statusCode
    const isPassed = relayBareResponse({
      backendResponse,
      connection: this.#connection,
      correlationId: this.#exchange.correlationId,
      onBody: (bytes) => {
        this.#exchange.bytesOut += bytes
        this.#deadline.touch()
      },
      onMoved: () => this.#deadline.touch(),
      onComplete: () => this.#end(this.#closeReason ?? 'complete'),
      onCut: () => this.#fail('backend-reset'),
    })
    if (isPassed) return
    this.#isAnswered = false
    this.#fail('backend-invalid')
  }

  readonly #hold = (chunk: Buffer): void => {
    if (this.#isAnswered) return
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes >= maxHeldBytes) this.#connection.stream.pause()
  }

  readonly #leave = (): void => {
    if (!this.#isAnswered) this.#endWith('client-closed', undefined)
  }

  readonly #close = (): void => {
    if (this.#tunnel !== undefined) return
    this.#call?.destroy()
    this.#end(this.#closeReason ?? clientCloseReason(this.#connection))
  }

  /** The stream belongs to somebody else from here on. */
  #letGo(): void {
    const { stream } = this.#connection
    stream.off('data', this.#hold)
    stream.off('end', this.#leave)
    stream.pause()
    this.#deadline.cancel()
  }

  #isOver(): boolean {
    return this.#closeReason !== undefined || this.#connection.stream.destroyed
  }

  #fail(reason: FailureReason): void {
    this.#endWith(reason, reason)
  }

  #abort(reason: CloseReason): void {
    if (this.#tunnel !== undefined) this.#tunnel.end(reason)
    else this.#endWith(reason, reason === 'policy-revoked' ? reason : 'limit')
  }

  /** Ends it before it was joined: with a refusal as long as nothing was said to the client. */
  #endWith(why: CloseReason, refusal: RefusalReason | undefined): void {
    if (this.#tunnel !== undefined || this.#closeReason !== undefined) return
    this.#closeReason = why
    this.#call?.destroy()
    if (this.#isAnswered || refusal === undefined) cut(this.#connection.stream)
    else this.#refuse(refusal, undefined)
  }

  #refuse(reason: RefusalReason, status: number | undefined): void {
    const { correlationId, facts } = this.#exchange
    this.#isAnswered = true
    this.#closeReason ??= 'complete'
    this.#deadline.cancel()
    this.#exchange.status = refuseBare(this.#connection, {
      reason,
      status,
      correlationId,
      rawHeaders: facts.rawHeaders,
    })
    this.#end(this.#closeReason)
  }

  #end(closeReason: CloseReason): void {
    this.#deadline.cancel()
    this.#slot.release()
    this.#exchange.end(closeReason)
  }
}

function ignore(): void {}
