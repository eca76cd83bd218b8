import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { OperationalLog } from '../audit/operational-log.ts'
import type { FailureReason } from '../reasons.ts'
import type { UpstreamProxy } from '../settings/settings.ts'
import type { CancelSignal } from '../transport/cancellation.ts'
import { sharedDeadlines } from '../transport/deadlines.ts'
import type { DialAuthority } from '../transport/dial-authority.ts'
import { monotonicNow } from '../transport/slices.ts'
import { KiB, seconds } from '../units.ts'
import { type Authority, formatAuthority } from '../wire/authority.ts'
import { HeadOffsets, incomplete, scanResponseHead } from '../wire/head-scan.ts'

/**
 * The one way out of some networks: an HTTP proxy that is asked for a tunnel (RFC 9110 9.3.6), for cleartext HTTP too. It
 * resolves the name, so no guard has seen where the tunnel leads.
 *
 *   dial the proxy ─ TLS where it is https ─ CONNECT ─ 2xx ─ the tunnel is the destination's
 */

export interface ThroughRequest {
  readonly proxy: UpstreamProxy
  readonly destination: Authority
  /** What the proxy wants to see; it alone is told. */
  readonly authorization: string | undefined
  /** PEM text; absent: the system's authorities. */
  readonly ca: string | undefined
  /** Which listeners of ours the request has passed, this one included. */
  readonly via: string
  /** Bytes of the destination may follow the proxy's answer at once; else they belong to no request. */
  readonly maySpeakFirst: boolean
  readonly dial: DialAuthority
  /** For everything together. */
  readonly timeoutMs: number
  readonly signal: CancelSignal
}

export type Through =
  /** Nobody reads it, its error handler is silent, and the caller owns it. */
  { readonly kind: 'connected'; readonly socket: Socket } | ThroughFailed

export interface ThroughFailed {
  readonly kind: 'failed'
  readonly reason: 'upstream-proxy-failed' | 'upstream-proxy-refused'
  /** For our own workload and the operational log. */
  readonly message: string
}

const maxHeadBytes = 16 * KiB
const maxFields = 100
/** More is no courtesy but a flood. */
const maxInterims = 8

/** Scanning and looking follow each other without a pause, so that one is enough for the thread. */
const offsets = new HeadOffsets(maxFields)

const switchingProtocols = 101
const unauthorized = 407

/** Never rejects. */
export async function connectThrough(request: ThroughRequest): Promise<Through> {
  const { proxy, dial, timeoutMs, signal } = request
  const until = monotonicNow() + timeoutMs
  const dialled = await dial({ authority: proxy.authority, timeoutMs, signal })
  if (dialled.kind === 'failed') return failed(dialled.reason)
  return openTunnel(dialled.socket, { ...request, timeoutMs: until - monotonicNow() })
}

function openTunnel(tcp: Socket, request: ThroughRequest): Promise<Through> {
  const { proxy, signal, timeoutMs } = request
  return new Promise((resolve) => {
    const isSecure = proxy.scheme === 'https'
    const socket = isSecure ? secure(tcp, request) : tcp
    let received: Buffer = Buffer.alloc(0)
    let interims = 0
    let hasAsked = false
    let isOver = false
    const abort = (): void => fail('connect-failed')
    const onEnd = (): void => fail('backend-reset')
    const onError = (): void => fail(hasAsked ? 'backend-reset' : 'tls-failed')
    const deadline = sharedDeadlines.watch({
      idleMs: Infinity,
      lifetimeMs: Math.max(1, timeoutMs),
      onExpire: () => fail('backend-timeout'),
    })

    function settle(through: Through): void {
      isOver = true
      deadline.cancel()
      signal.removeEventListener('abort', abort)
      socket.off('readable', onReadable)
      socket.off('end', onEnd)
      socket.off('close', onEnd)
      if (through.kind === 'failed') {
        socket.destroy()
        tcp.destroy()
      }
      resolve(through)
    }

    function fail(reason: FailureReason): void {
      if (!isOver) settle(failed(reason))
    }

    function ask(): void {
      if (isOver) return
      hasAsked = true
      // Not `data`: whoever gets the socket must find it as if nobody had read it.
      socket.on('readable', onReadable)
      socket.on('end', onEnd)
      socket.write(connectHead(request), 'latin1')
    }

    function onReadable(): void {
      // A socket without encoding gives buffers.
      const chunk = socket.read() as Buffer | null
      if (chunk !== null) take(chunk)
    }

    function take(chunk: Buffer): void {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
      let at = 0
      while (!isOver && at < received.length) {
        const headEnd = scanResponseHead(offsets, received, { start: at, end: received.length })
        if (headEnd === incomplete && received.length - at <= maxHeadBytes) break
        if (headEnd <= 0) return fail('backend-invalid')
        const { status } = offsets
        at = headEnd
        if (status >= 200) return answered(status, received.subarray(at))
        if (status === switchingProtocols || ++interims > maxInterims)
          return fail('backend-invalid')
      }
      received = received.subarray(at)
    }

    function answered(status: number, rest: Buffer): void {
      if (status >= 300) return settle(refused(status))
      if (rest.length > 0 && !request.maySpeakFirst) return fail('backend-invalid')
      settle({ kind: 'connected', socket })
      if (rest.length > 0) socket.unshift(rest)
    }

    tcp.on('error', onError)
    socket.on('error', onError)
    socket.on('close', onEnd)
    signal.addEventListener('abort', abort, { once: true })
    if (isSecure) socket.once('secureConnect', ask)
    else ask()
  })
}

function secure(tcp: Socket, { proxy, ca }: ThroughRequest): Socket {
  const { host } = proxy.authority
  const name = host.kind === 'name' ? host.name : ''
  return connectTls({
    socket: tcp,
    // Literals are verified as addresses, and asked for without a name.
    host: host.kind === 'name' ? host.name : host.text,
    servername: name,
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
    ...(ca === undefined ? {} : { ca }),
  })
}

function connectHead({ destination, authorization, via }: ThroughRequest): string {
  const authority = formatAuthority(destination)
  const credentials = authorization === undefined ? '' : `Proxy-Authorization: ${authorization}\r\n`
  return `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\nVia: ${via}\r\n${credentials}\r\n`
}

/** One a second says enough. */
const complaintMs = seconds(1)
let complainedAt = -Infinity

/** Tells whoever runs this instance, now and then. */
export function complain(
  log: OperationalLog,
  proxy: UpstreamProxy,
  { message }: ThroughFailed,
): void {
  const now = monotonicNow()
  if (now - complainedAt < complaintMs) return
  complainedAt = now
  log.warn({ proxy: formatAuthority(proxy.authority) }, message)
}

function failed(reason: FailureReason): ThroughFailed {
  const message = `the upstream proxy could not be used: ${reason}`
  return { kind: 'failed', reason: 'upstream-proxy-failed', message }
}

function refused(status: number): ThroughFailed {
  const hint = status === unauthorized ? ', it wants other credentials' : ''
  const message = `the upstream proxy refused the connection with status ${status}${hint}`
  return { kind: 'failed', reason: 'upstream-proxy-refused', message }
}
