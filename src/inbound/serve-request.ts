import { correlationIdOf } from './correlation.ts'
import type { CloseReason, FailureReason } from '../reasons.ts'
import { type Deadline, sharedDeadlines } from '../transport/deadlines.ts'
import { seconds } from '../units.ts'
import type { RefusalReason } from '../wire/refusal.ts'
import { type Admission, admit, type RefuseAs } from './admit.ts'
import { backendHeaders, backendHeadersInput, backendTrailers, hasBody } from './backend-headers.ts'
import { callHttp2Backend } from './http2-call.ts'
import type { ClientSide } from './client-side.ts'
import { findTarget, type InboundContext } from './context.ts'
import { type Exchange, openExchange } from './exchange.ts'
import type { BackendCall } from './http-proxy.ts'
import { whenProven } from './prove.ts'
import type { BackendResponse } from './relay-response.ts'

export interface ServeOptions {
  /** Set: refused without being looked at. */
  readonly refuseAs?: RefuseAs | undefined
  /** Called once, when the response is over. */
  readonly onEnd: () => void
}

/** What may still be done from outside to a request that is being served. */
export interface Serving {
  /** What follows is not HTTP. Whether that broke this request, which is then answered; else it had arrived whole. */
  breakOff(): boolean
  /** The connection cannot go on: cuts it, for this reason. */
  cutOff(closeReason: CloseReason): void
}

/** Serves one request: decided, then refused or forwarded. Never throws. */
export function serveRequest(
  context: InboundContext,
  side: ClientSide,
  { refuseAs, onEnd }: ServeOptions,
): Serving {
  const serving = new ServedRequest(context, side)
  side.response.once('close', () => {
    serving.close()
    onEnd()
  })
  serving.begin(refuseAs)
  return serving
}

const requestTimeout = 408

/** Before anything is in force; nothing is forwarded then. */
const fallbackIdleMs = seconds(30)

/** How much later the library's own deadline comes than ours, which knows whose fault it is. */
const lastResortMs = seconds(5)

class ServedRequest implements Serving {
  readonly #context: InboundContext
  readonly #side: ClientSide
  readonly #exchange: Exchange
  readonly #deadline: Deadline
  readonly #bodyIdleMs: number
  readonly #isBodied: boolean
  #call: BackendCall | undefined
  #isClosed = false
  /** Why it ends, as soon as somebody knows. */
  #closeReason: CloseReason | undefined

  constructor(context: InboundContext, side: ClientSide) {
    const { ports, exchanges } = context
    const { facts } = side
    this.#context = context
    this.#side = side
    this.#isBodied = hasBody(facts.rawHeaders)
    this.#exchange = openExchange(ports, {
      facts,
      correlationId: correlationIdOf(facts.delivery, ports.newCorrelationId),
      exchanges,
      abort: (reason) => this.#abort(reason),
    })
    this.#bodyIdleMs = ports.currentInForce()?.settings.timeouts.bodyIdleMs ?? fallbackIdleMs
    this.#deadline = sharedDeadlines.watch({
      idleMs: this.#bodyIdleMs,
      lifetimeMs: Number.POSITIVE_INFINITY,
      onExpire: () => this.#expire(),
    })
  }

  begin(refuseAs: RefuseAs | undefined): void {
    const { facts, correlationId } = this.#exchange
    whenProven(this.#context.ports, facts, {
      correlationId,
      refuseAs,
      isOver: () => this.#isClosed || this.#closeReason !== undefined,
      next: () => this.#decide(refuseAs),
    })
  }

  breakOff(): boolean {
    if (!this.#isBodied || this.#side.isComplete()) return false
    this.#endWith('client-invalid', { reason: 'bad-request' })
    return true
  }

  cutOff(closeReason: CloseReason): void {
    this.#endWith(closeReason, undefined)
  }

  /** The response is over, one way or another. */
  close(): void {
    this.#isClosed = true
    this.#deadline.cancel()
    this.#call?.abort()
    const byClient = this.#side.isFinished() ? 'complete' : this.#side.closeReason()
    this.#exchange.end(this.#closeReason ?? byClient)
  }

  #decide(refuseAs: RefuseAs | undefined): void {
    const { facts, correlationId } = this.#exchange
    const admission = admit(this.#context.ports, facts, {
      correlationId,
      refuseAs,
      revoke: () => this.#abort('policy-revoked'),
    })
    if (admission.kind === 'refused') this.#refuse(admission)
    else void this.#forward(admission)
  }

  #refuse({ judgement }: Extract<Admission, { kind: 'refused' }>): void {
    const { reason } = judgement.decision
    // A head that does not read one way only says nothing about where the next request begins.
    const endsConnection = reason === 'bad-request' || reason === 'limit'
    this.#answer({ reason, status: judgement.status, endsConnection })
  }

  async #forward(admission: Extract<Admission, { kind: 'admitted' }>): Promise<void> {
    const { message, response, body, expectsContinue } = this.#side
    const { judgement, backend, standing } = admission
    const exchange = this.#exchange
    exchange.admitted = standing
    try {
      const target = findTarget(this.#context, backend)
      const headersInput = backendHeadersInput(this.#context, exchange.facts, judgement)
      if (typeof target === 'string') {
        this.#fail(target)
        return
      }
      const { isHttp2 } = this.#side
      const callBackend =
        isHttp2 && backend.protocol === 'http2'
          ? callHttp2Backend
          : await this.#context.callBackend()
      if (this.#isClosed || this.#closeReason !== undefined) return
      if (expectsContinue) this.#side.writeContinue()
      this.#call = callBackend({
        message,
        response,
        body,
        isComplete: () => this.#side.isComplete(),
        target,
        headers: backendHeaders(headersInput),
        rawHeaders: exchange.facts.rawHeaders,
        trailers: () => backendTrailers(headersInput, this.#side.trailers()),
        hasBody: this.#isBodied,
        timeoutMs: this.#bodyIdleMs + lastResortMs,
        onBody: (bytes) => {
          exchange.bytesIn += bytes
          this.#deadline.touch()
        },
        onHint: (rawHeaders) => this.#side.hint(rawHeaders),
        onResponse: (backendResponse) => this.#relay(backendResponse),
        onFailure: (reason) => this.#fail(reason),
        onCut: () => this.#fail('backend-reset'),
      })
    } catch (error) {
      this.#context.ports.log.error({ err: error }, 'a request could not be forwarded')
      this.#endWith('internal-error', { reason: 'internal-error' })
    }
  }

  #relay(backendResponse: BackendResponse): void {
    const exchange = this.#exchange
    this.#deadline.touch()
    this.#side.relay(backendResponse, {
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
  }

  #fail(reason: FailureReason): void {
    this.#endWith(reason, { reason })
  }

  #abort(reason: CloseReason): void {
    this.#endWith(reason, { reason: reason === 'policy-revoked' ? reason : 'limit' })
  }

  /** Nothing moved. Who is it that everybody waits for? */
  #expire(): void {
    const side = this.#side
    if (side.hasAnswered()) {
      this.#endWith(side.isHeldBack() ? 'body-idle-timeout' : 'backend-timeout', undefined)
    } else if (this.#isBodied && !side.isComplete() && this.#call?.isHeldBack() !== true) {
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
    if (this.#isClosed || this.#closeReason !== undefined) return
    this.#closeReason = why
    this.#call?.abort()
    if (this.#side.hasAnswered() || refusal === undefined) {
      this.#side.cut(why)
      return
    }
    try {
      this.#answer({ ...refusal, endsConnection: false })
    } catch (error) {
      // No deadline and no abort ends it a second time: what cannot be answered is cut off here.
      this.#context.ports.log.error({ err: error }, 'a request could not be answered')
      this.#side.cut('internal-error')
    }
  }

  #answer(answer: {
    reason: RefusalReason
    status?: number | undefined
    endsConnection: boolean
  }): void {
    const { correlationId } = this.#exchange
    this.#exchange.status = this.#side.refuse({ ...answer, correlationId })
  }
}
