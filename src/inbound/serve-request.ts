import type { CloseReason, FailureReason } from '../reasons.ts'
import { cut } from '../transport/cut.ts'
import { type Deadline, sharedDeadlines } from '../transport/deadlines.ts'
import { seconds } from '../units.ts'
import type { RefusalReason } from '../wire/refusal.ts'
import { type Admission, admit, type RefuseAs } from './admit.ts'
import { hasBody, headersFor } from './backend-headers.ts'
import type { BackendCall } from './http-proxy.ts'
import { abandonUnread, closeGently, type Turn } from './connection.ts'
import { factsOf, findTarget, type InboundContext } from './context.ts'
import { clientCloseReason, type Exchange, openExchange } from './exchange.ts'
import { type Refusable, refuse } from './refuse.ts'
import { relayResponse } from './relay-response.ts'

export interface Arrived extends Refusable {
  /** The client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean
  /** Set: refused without being looked at. */
  readonly refuseAs?: RefuseAs | undefined
  /** Called once, when the response is over and the connection free. */
  readonly onEnd: () => void
}

/** One request: decided, then refused or forwarded. Never throws. */
export function createServing(context: InboundContext, arrived: Arrived): Turn {
  let served: ServedRequest | undefined
  return {
    start() {
      const serving = new ServedRequest(context, arrived)
      served = serving
      arrived.response.once('close', () => {
        serving.close()
        arrived.onEnd()
      })
      serving.begin()
    },
    breakOff: () => served?.breakOff() ?? false,
    resume: () => arrived.response.emit('drain'),
    cutOff: (closeReason) => served?.cutOff(closeReason),
  }
}

const requestTimeout = 408

/** Before anything is in force; nothing is forwarded then. */
const fallbackIdleMs = seconds(30)

/** How much later the library's own deadline comes than ours, which knows whose fault it is. */
const lastResortMs = seconds(5)

class ServedRequest {
  readonly #context: InboundContext
  readonly #arrived: Arrived
  readonly #exchange: Exchange
  readonly #deadline: Deadline
  readonly #bodyIdleMs: number
  readonly #isBodied: boolean
  #call: BackendCall | undefined
  #isClosed = false
  /** Why it ends, as soon as somebody knows. */
  #closeReason: CloseReason | undefined

  constructor(context: InboundContext, arrived: Arrived) {
    const { ports, exchanges } = context
    const facts = factsOf(context, arrived)
    const correlationId = arrived.connection.delivery?.correlationId ?? ports.newCorrelationId()
    this.#context = context
    this.#arrived = arrived
    this.#isBodied = hasBody(facts.rawHeaders)
    this.#exchange = openExchange(ports, {
      facts,
      correlationId,
      exchanges,
      abort: (reason) => this.#abort(reason),
      expire: () => this.#expire(),
    })
    this.#bodyIdleMs = ports.currentInForce()?.settings.timeouts.bodyIdleMs ?? fallbackIdleMs
    this.#deadline = sharedDeadlines.watch({
      idleMs: this.#bodyIdleMs,
      lifetimeMs: Number.POSITIVE_INFINITY,
      onExpire: this.#exchange.expire,
    })
  }

  begin(): void {
    const { facts, correlationId } = this.#exchange
    const admission = admit(this.#context.ports, facts, {
      correlationId,
      refuseAs: this.#arrived.refuseAs,
      revoke: this.#exchange.revoke,
    })
    if (admission.kind === 'refused') this.#refuse(admission)
    else void this.#forward(admission)
  }

  /** What came behind the head is not HTTP. */
  breakOff(): boolean {
    if (!this.#isBodied || this.#arrived.request.complete) return false
    this.#endWith('client-invalid', { reason: 'bad-request' })
    return true
  }

  cutOff(closeReason: CloseReason): void {
    this.#endWith(closeReason, undefined)
  }

  /** The response is over, one way or another. */
  close(): void {
    const { connection, response } = this.#arrived
    this.#isClosed = true
    this.#deadline.cancel()
    this.#call?.abort()
    const byClient = response.writableFinished ? 'complete' : clientCloseReason(connection)
    this.#exchange.end(this.#closeReason ?? byClient)
  }

  #refuse({ judgement }: Extract<Admission, { kind: 'refused' }>): void {
    const { reason } = judgement.decision
    // A head that does not read one way only says nothing about where the next request begins.
    const endsConnection = reason === 'bad-request' || reason === 'limit'
    this.#answer({ reason, status: judgement.status, endsConnection })
  }

  async #forward(admission: Extract<Admission, { kind: 'admitted' }>): Promise<void> {
    const { request, response, expectsContinue } = this.#arrived
    const { judgement, backend, standing } = admission
    const exchange = this.#exchange
    exchange.admitted = standing
    try {
      const target = findTarget(this.#context, backend)
      const headers = headersFor(this.#context.ports.currentInForce(), exchange.facts, judgement)
      if (typeof target === 'string') {
        this.#fail(target)
        return
      }
      const callBackend = await this.#context.callBackend()
      if (this.#isClosed || this.#closeReason !== undefined) return
      if (expectsContinue) response.writeContinue()
      this.#call = callBackend({
        request,
        response,
        target,
        headers,
        hasBody: this.#isBodied,
        timeoutMs: this.#bodyIdleMs + lastResortMs,
        onBody: (bytes) => {
          exchange.bytesIn += bytes
          this.#deadline.touch()
        },
        onResponse: (backendResponse) => this.#relay(backendResponse),
        onFailure: (reason) => this.#fail(reason),
        onCut: () => this.#fail('backend-reset'),
      })
    } catch (error) {
      this.#context.ports.log.error({ err: error }, 'a request could not be forwarded')
      this.#endWith('internal-error', { reason: 'internal-error' })
    }
  }

  #relay(backendResponse: Parameters<typeof relayResponse>[0]['backendResponse']): void {
    const { response, connection, request } = this.#arrived
    const exchange = this.#exchange
    this.#deadline.touch()
    if (this.#context.isDraining) response.shouldKeepAlive = false
    relayResponse({
      backendResponse,
      response,
      correlationId: exchange.correlationId,
      onBody: (bytes) => {
        exchange.bytesOut += bytes
        this.#deadline.touch()
      },
      onMoved: () => this.#deadline.touch(),
      onInvalid: () => this.#fail('backend-invalid'),
      onCut: () => this.#fail('backend-reset'),
    })
    exchange.status = backendResponse.statusCode
    response.once('finish', () => {
      // Answered before it was asked to the end: where the next request begins is not known.
      if (this.#isBodied && !request.complete) abandonUnread(connection)
      // Its head went out before the drain began, and said nothing of an end.
      else if (this.#context.isDraining && !connection.isClosing) closeGently(connection)
    })
  }

  #fail(reason: FailureReason): void {
    this.#endWith(reason, { reason })
  }

  #abort(reason: CloseReason): void {
    this.#endWith(reason, { reason: reason === 'policy-revoked' ? reason : 'limit' })
  }

  /** Nothing moved. Who is it that everybody waits for? */
  #expire(): void {
    const { request, response } = this.#arrived
    if (response.headersSent) {
      const isClientSlow = response.writableNeedDrain || response.writableEnded
      this.#endWith(isClientSlow ? 'body-idle-timeout' : 'backend-timeout', undefined)
    } else if (this.#isBodied && !request.complete && this.#call?.isHeldBack() !== true) {
      this.#endWith('body-idle-timeout', { reason: 'bad-request', status: requestTimeout })
    } else {
      this.#fail('backend-timeout')
    }
  }

  /** Ends it early: with a refusal as long as nothing was said to the client, else by cutting it off. */
  #endWith(
    why: CloseReason,
    refusal: { reason: RefusalReason; status?: number } | undefined,
  ): void {
    const { response, connection } = this.#arrived
    if (this.#isClosed || this.#closeReason !== undefined) return
    this.#closeReason = why
    this.#call?.abort()
    if (response.headersSent || refusal === undefined) {
      cut(connection.stream)
      return
    }
    try {
      this.#answer({ ...refusal, endsConnection: false })
    } catch (error) {
      // No deadline and no abort ends it a second time: what cannot be answered is cut off here.
      this.#context.ports.log.error({ err: error }, 'a request could not be answered')
      cut(connection.stream)
    }
  }

  #answer(answer: {
    reason: RefusalReason
    status?: number | undefined
    endsConnection: boolean
  }): void {
    const { request, expectsContinue } = this.#arrived
    const { reason, status, endsConnection } = answer
    const isUnread = this.#isBodied && !request.complete
    this.#exchange.status = refuse(this.#arrived, {
      reason,
      status,
      correlationId: this.#exchange.correlationId,
      isLast: endsConnection || isUnread || expectsContinue || this.#context.isDraining,
    })
  }
}
