import type { Duplex } from 'node:stream'
import { KiB, MiB, seconds } from '../../units.ts'
import { carriageReturn, lineFeed } from '../../wire/octets.ts'
import { incomplete, tooManyFields } from '../../wire/head-scan.ts'
import { beginsHttp2 } from '../../wire/http2-preface.ts'
import { cut } from '../cut.ts'
import { type Phased, sharedPhases } from '../phases.ts'
import { Crossing, type CrossingClient } from './crossing.ts'
import { HeadReader } from './head-reader.ts'

/** As in force when they are asked for; never kept. */
export interface RelayLimits {
  readonly limits: { readonly headerBytes: number }
  readonly timeouts: {
    readonly headerMs: number
    readonly keepAliveMs: number
    readonly bodyIdleMs: number
  }
}

/** Why no request could be read. */
export type Unreadable = 'malformed' | 'http2' | 'too-large' | 'too-slow'

/** Who decides what becomes of the requests of a connection. None of these may throw. */
export interface RelayOwner {
  limits(): RelayLimits
  /** A head has arrived: the crossing is to be refused, forwarded or taken over, now or later. */
  onRequest(crossing: Crossing): void
  /** What opens with bytes of another protocol is left without a word, or told that it is `malformed`. */
  readonly answersNoise: boolean
  /** Nothing that follows can be read. `answerLast` or `end` the connection. */
  onUnreadable(why: Unreadable): void
  /** Whether each answer is the last of its connection. */
  isDraining(): boolean
  /** It is gone, or somebody else's. */
  onClose(): void
}

/** For a client to read its last answer before what it still sends is answered by a reset (RFC 9112 9.6). */
const lingerMs = seconds(5)

/** Bytes that are read before somebody can take them. */
const maxAhead = 64 * KiB

/** Requests that are answered at once, as refusals are, before others have their turn. */
const maxAtOnce = 16

/** Somebody who sends that much behind the last answer does not wait for it. */
const maxDiscardedBytes = 64 * MiB

/**
 * A client's connection that speaks HTTP/1 through the relay. Requests are read and served one at a time, in order; what
 * a client sends ahead waits in one read's worth of bytes here, and then in the kernel.
 *
 *   client ── bytes ──▶ unread ── head ──▶ HeadReader ──▶ RelayOwner.onRequest(crossing)
 *                         └───── body ──▶ Crossing.takeBody ──▶ upstream
 *   client ◀── answer ─────────────────── Crossing
 */
export class RelayConnection implements Phased, CrossingClient {
  readonly stream: Duplex
  readonly #owner: RelayOwner
  dueAt: number
  readonly #reader = new HeadReader()
  #crossing: Crossing | undefined
  #unread: Buffer | undefined
  #unreadAt = 0
  /** Up to here no head ends. */
  #scannedTo = 0
  #state: 'open' | 'closing' | 'gone' = 'open'
  #isPumping = false
  /** Others have their turn: it goes on afterwards. */
  #isYielding = false
  #isPaused = false
  #isHeldBack = false
  /** A request has arrived on it. */
  #hasSpoken = false
  /** The client sends nothing more. */
  #hasEnded = false
  #discarded = 0
  #bodyIdleMs = 0
  #isHeadBegun = false
  /** Where the head of the request under way is. */
  #headIn: Buffer | undefined
  #headStart = 0
  #headEnd = 0

  /** Takes the stream over, which has an error handler. */
  constructor(stream: Duplex, owner: RelayOwner) {
    this.stream = stream
    this.#owner = owner
    this.dueAt = sharedPhases.in(owner.limits().timeouts.headerMs)
    stream.on('data', this.#onData)
    stream.on('end', this.#onEnd)
    stream.on('drain', this.#onDrain)
    stream.on('close', this.#onClose)
    sharedPhases.add(this)
  }

  isDraining(): boolean {
    return this.#owner.isDraining()
  }

  /** Bytes moved: the phase that only silence ends begins anew. */
  touch(): void {
    this.dueAt = sharedPhases.in(this.#bodyIdleMs)
  }

  onDue(): void {
    this.dueAt = Number.POSITIVE_INFINITY
    if (this.#state !== 'open') this.stream.destroy()
    else if (this.#crossing !== undefined) this.#crossing.expire()
    else if (this.#isHeadBegun) this.#owner.onUnreadable('too-slow')
    // Nothing was asked.
    else if (this.#hasSpoken) this.end()
    else this.stream.destroy()
  }

  /** Ends an idle connection now and a busy one with its answer, which `isDraining` makes its last. */
  drain(): void {
    if (this.#state === 'open' && this.#crossing === undefined && !this.#isHeadBegun) this.end()
  }

  /** The last bytes for the client; whatever it still sends is not looked at. */
  answerLast(bytes: Buffer): void {
    if (this.stream.writable) this.stream.write(bytes)
    this.end(true)
  }

  /** Ends our side and lets the client read what was sent; with `hasUnread`, it may go on sending into the void. */
  end(hasUnread = this.#unread !== undefined): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#unread = undefined
    const { stream } = this
    stream.end()
    if (stream.destroyed) return
    this.dueAt = sharedPhases.in(lingerMs)
    this.#resume()
    if (hasUnread) return
    if (stream.writableFinished) stream.destroy()
    else stream.once('finish', () => stream.destroy())
  }

  /** Cuts the client off so that it cannot take what it has for a whole answer. */
  cut(): void {
    this.#state = 'closing'
    cut(this.stream)
  }

  /** The stream belongs to the caller from here on, with what has come behind the head. */
  handOver(): Buffer {
    const { stream } = this
    const unread = this.#unread?.subarray(this.#unreadAt) ?? Buffer.alloc(0)
    this.#state = 'gone'
    this.#crossing = undefined
    stream.off('data', this.#onData)
    stream.off('end', this.#onEnd)
    stream.off('drain', this.#onDrain)
    stream.off('close', this.#onClose)
    stream.pause()
    sharedPhases.remove(this)
    this.#owner.onClose()
    return unread
  }

  /** The same with the head of the request under way in front: whoever reads it reads the request anew. */
  handBack(): Buffer {
    const head = this.#headIn?.subarray(this.#headStart, this.#headEnd) ?? Buffer.alloc(0)
    return Buffer.concat([head, this.handOver()])
  }

  /** The upstream takes no more for now, or takes more again. */
  holdBack(isHeldBack: boolean): void {
    this.#isHeldBack = isHeldBack
    if (isHeldBack) this.#pause()
    else this.pump()
  }

  /** The answer is out. */
  endCrossing({ isLast, hasUnread }: { isLast: boolean; hasUnread: boolean }): void {
    this.#crossing = undefined
    this.#headIn = undefined
    this.#isHeldBack = false
    if (this.#state !== 'open') return
    // A drain that began behind the head of the answer: it said nothing of an end, and is one all the same.
    const isOver = isLast || this.#owner.isDraining()
    if (isOver || (this.#hasEnded && this.#unread === undefined)) {
      this.end(hasUnread || this.#unread !== undefined)
      return
    }
    this.dueAt = sharedPhases.in(this.#owner.limits().timeouts.keepAliveMs)
    this.pump()
  }

  /** Does with the unread bytes what can be done now. Bounded by them: each turn takes some or is the last. */
  pump(): void {
    if (this.#isPumping || this.#isYielding) return
    this.#isPumping = true
    let turns = 0
    while (this.#state === 'open' && turns < maxAtOnce && this.#takeSome()) turns++
    this.#isPumping = false
    if (this.#state !== 'open') return
    if (turns === maxAtOnce && this.#unread !== undefined) {
      this.#yield()
      return
    }
    // With a request under way, what is sent ahead of the next waits in the kernel, beyond a little: whoever does not
    // read from a connection does not see it end either.
    const ahead = this.#unread === undefined ? 0 : this.#unread.length - this.#unreadAt
    const isFull = this.#crossing !== undefined && ahead >= maxAhead
    if (this.#isHeldBack || isFull) this.#pause()
    else this.#resume()
  }

  /** One read may bring thousands of requests that are refused as they come: half a second for everybody else. */
  #yield(): void {
    this.#isYielding = true
    this.#pause()
    setImmediate(() => {
      this.#isYielding = false
      this.pump()
    })
  }

  /** Whether there may be more to do. */
  #takeSome(): boolean {
    const bytes = this.#unread
    if (bytes === undefined || this.#isHeldBack) return false
    const crossing = this.#crossing
    if (crossing === undefined) return this.#readHead(bytes)
    const taken = crossing.takeBody(bytes, this.#unreadAt, bytes.length)
    if (this.#unread === bytes) this.#take(taken)
    return taken > 0 || this.#crossing !== crossing
  }

  #take(length: number): void {
    this.#unreadAt += length
    if (this.#unreadAt === this.#unread?.length) this.#unread = undefined
  }

  #readHead(bytes: Buffer): boolean {
    const { length } = bytes
    const start = this.#unreadAt
    if (!this.#isHeadBegun) {
      // RFC 9112 2.2: one empty line in front of a request line is to be ignored.
      if (bytes[start] === carriageReturn && this.#hasSpoken) {
        if (start + 1 === length) return false
        if (bytes[start + 1] === lineFeed) {
          this.#take(2)
          return true
        }
      }
      this.#isHeadBegun = true
      this.#scannedTo = start
      this.dueAt = sharedPhases.in(this.#owner.limits().timeouts.headerMs)
    }
    if (!this.#hasSpoken && !isLetter(bytes[start])) {
      if (this.#owner.answersNoise) this.#owner.onUnreadable('malformed')
      else this.stream.destroy()
      return false
    }
    const { limits, timeouts } = this.#owner.limits()
    const { headerBytes } = limits
    const isUnchanged = bytes.indexOf(lineFeed, this.#scannedTo) === -1
    const headEnd = isUnchanged ? incomplete : this.#reader.read(bytes, { start, end: length })
    this.#scannedTo = length
    if (headEnd === incomplete && length - start <= headerBytes) return false
    if (headEnd === incomplete || headEnd === tooManyFields || headEnd - start > headerBytes) {
      this.#owner.onUnreadable('too-large')
      return false
    }
    const { block, method, target } = this.#reader
    if (headEnd < 0 || block === undefined) {
      this.#owner.onUnreadable(beginsHttp2(bytes, start) ? 'http2' : 'malformed')
      return false
    }
    this.#headIn = bytes
    this.#headStart = start
    this.#headEnd = headEnd
    this.#take(headEnd - this.#unreadAt)
    this.#isHeadBegun = false
    this.#hasSpoken = true
    this.#bodyIdleMs = timeouts.bodyIdleMs
    this.touch()
    const crossing = new Crossing(this, { method, target, block })
    this.#crossing = crossing
    this.#owner.onRequest(crossing)
    return true
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#state !== 'open') {
      this.#discarded += chunk.length
      if (this.#discarded > maxDiscardedBytes) cut(this.stream)
      return
    }
    if (this.#unread === undefined) {
      this.#unread = chunk
      this.#unreadAt = 0
    } else {
      const rest = this.#unread.subarray(this.#unreadAt)
      this.#scannedTo -= this.#unreadAt
      this.#unread = Buffer.concat([rest, chunk])
      this.#unreadAt = 0
    }
    this.pump()
  }

  readonly #onEnd = (): void => {
    this.#hasEnded = true
    if (this.#state !== 'open' || this.#isYielding) return
    const crossing = this.#crossing
    if (crossing !== undefined) {
      // Whoever closes looks like this too, and most who look like this have closed: nobody waits for the answer.
      crossing.leave()
    } else if (this.#isHeadBegun) {
      this.#owner.onUnreadable('malformed')
    } else {
      this.end()
    }
  }

  readonly #onDrain = (): void => {
    this.#crossing?.onClientDrain()
  }

  readonly #onClose = (): void => {
    this.#state = 'gone'
    sharedPhases.remove(this)
    this.#crossing?.onClientClose()
    this.#crossing = undefined
    this.#unread = undefined
    this.#owner.onClose()
  }

  #pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.stream.pause()
  }

  #resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.stream.resume()
  }
}

/** What a method begins with. Whatever else a connection opens with (a TLS hello, binary) is not HTTP at all. */
function isLetter(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a))
}
