import type { InForce } from '../settings/in-force.ts'
import type { FieldBlock } from '../transport/relay/head-reader.ts'
import type { Authority } from '../wire/authority.ts'
import { ambiguous, chunked } from '../wire/framing.ts'
import { isOriginForm } from '../wire/request-head.ts'
import type { OwnVia } from '../wire/via.ts'
import { type Direct, type ForwardHead, readForwardHead } from './forward-head.ts'
import type { CallerEvidence } from './caller-evidence.ts'
import { writeOutgoingHeaders } from './outgoing-headers.ts'
import { headerCountOf } from './proxy-context.ts'
import type { Admitted } from './verdict.ts'

/** What a request in absolute-form asks for, and what of it goes out. */
export type ForwardReading =
  | {
      readonly kind: 'head'
      readonly authority: Authority
      /** With the empty line; Latin-1. */
      readonly fieldLines: string
      /** Identity and forwarding fields of the client, as spelled. */
      readonly removed: readonly string[]
      /** What it was decided to be, once it was; under the same `InForce` it is decided alike for the same client. */
      admitted: Admitted | undefined
      /** Of who asks, with which it was decided. */
      evidence: CallerEvidence | undefined
    }
  | Exclude<ForwardHead, { kind: 'head' }>

interface Known {
  readonly block: FieldBlock
  readonly inForce: InForce | undefined
  /** The target up to its path. */
  readonly site: string
  readonly reading: Extract<ForwardReading, { kind: 'head' }>
}

const schemeLength = 'http://'.length

/**
 * Reads the heads of one connection. What was read of the fields holds for the next request with the same fields to the
 * same site under the same settings.
 */
export class ForwardReader {
  /** Path and query of the request that was read last. */
  path = ''
  readonly #via: OwnVia
  /** What the connection stands for. */
  readonly direct: Direct | undefined
  #known: Known | undefined

  constructor(via: OwnVia, direct?: Direct) {
    this.#via = via
    this.direct = direct
  }

  read(
    request: { readonly method: string; readonly target: string; readonly block: FieldBlock },
    inForce: InForce | undefined,
  ): ForwardReading {
    const { method, target, block } = request
    const known = this.#known
    const isKnown = known?.block === block && known.inForce === inForce
    // A CONNECT means something else whatever its target is.
    if (isKnown && method !== 'CONNECT' && target.startsWith(known.site)) {
      this.path = target.slice(known.site.length)
      if (isOriginForm(this.path)) return known.reading
    }
    const { httpVersion, rawHeaders, framing, expectation } = block
    const head = readForwardHead(
      { method, target, httpVersion, rawHeaders },
      {
        headerCount: headerCountOf(inForce?.settings),
        isUpgrade: false,
        via: this.#via,
        direct: this.direct,
      },
    )
    if (head.kind !== 'head') return head
    const { authority, path } = head
    this.path = path
    if (expectation === 'unknown') {
      return { kind: 'bad-request', authority, detail: 'unknown expectation' }
    }
    if (framing === ambiguous) {
      return { kind: 'bad-request', authority, detail: 'the framing is ambiguous' }
    }
    const names = inForce?.settings.identity.headers
    const { headers, removed } = writeOutgoingHeaders(rawHeaders, {
      authority,
      names,
      via: this.#via,
    })
    let fieldLines = ''
    for (let index = 0; index + 1 < headers.length; index += 2) {
      fieldLines += `${headers[index]}: ${headers[index + 1]}\r\n`
    }
    if (framing === chunked) fieldLines += 'Transfer-Encoding: chunked\r\n'
    fieldLines += '\r\n'
    const reading: ForwardReading = {
      kind: 'head',
      authority,
      removed,
      fieldLines,
      admitted: undefined,
      evidence: undefined,
    }
    const slash = target.startsWith('/') ? 0 : target.indexOf('/', schemeLength)
    // A target without a path, or with a query first, is rare.
    if (slash !== -1 && path === target.slice(slash)) {
      this.#known = { block, inForce, site: target.slice(0, slash), reading }
    }
    return reading
  }

  /** Lets go of what was in force. */
  forget(): void {
    this.#known = undefined
  }
}
