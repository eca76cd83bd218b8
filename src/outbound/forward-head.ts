import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Authority, formatHost, type Host } from '../wire/authority.ts'
import type { RawHeaders } from '../wire/headers.ts'
import { readInboundHead, readOutboundHead } from '../wire/request-head.ts'
import { goesRound, hopsOf, type OwnVia } from '../wire/via.ts'
import type { CallerEvidence } from './caller-evidence.ts'
import type { Peer } from './exchange.ts'
import { announcesBody, httpPort } from './outgoing-headers.ts'
import { sentenceForTarget } from './refusal-words.ts'
import type { UpgradeArrival } from './upgrade.ts'

/** A request in absolute-form as the server hands it over. */
export interface ForwardArrival {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly peer: Peer
  readonly expectsContinue: boolean
  readonly upgrade?: UpgradeArrival
  readonly direct: Direct | undefined
  /** Called where the head does not read one way only: what stands behind it is not to be read at all. */
  readonly onAmbiguous?: () => void
}

/** What a request in absolute-form asks for, or why it cannot be asked. */
export type ForwardHead =
  | {
      readonly kind: 'head'
      readonly authority: Authority
      readonly path: string
      readonly hasBody: boolean
    }
  | {
      readonly kind: 'bad-request' | 'loop' | 'name-mismatch'
      /** Where one could be read. */
      readonly authority?: Authority
      readonly detail?: string
      /** For the client. */
      readonly message?: string | undefined
      readonly status?: number
    }

/** What a connection stands for on which requests come as to the server itself: in origin-form, or absolute-form. */
export interface Direct {
  /** The only host that they may name: a CONNECT decided it. Undefined: each is decided by the one that it names. */
  readonly host: Host | undefined
  /** The only port. */
  readonly port: number
  /** Who the CONNECT proved to be: the requests inside it prove nothing again. */
  readonly evidence: CallerEvidence | undefined
}

/** The parts of a head that say what is asked. */
export interface RequestLines {
  readonly method: string
  readonly target: string
  readonly httpVersion: string
  readonly rawHeaders: RawHeaders
}

export function readForwardHead(
  request: RequestLines,
  options: {
    readonly headerCount: number
    readonly isUpgrade: boolean
    readonly via: OwnVia
    readonly direct: Direct | undefined
  },
): ForwardHead {
  const { method, target, httpVersion, rawHeaders } = request
  const { headerCount, direct } = options
  const head = { method, target, httpVersion, rawHeaders, headerCount }
  const reading =
    direct !== undefined && target.startsWith('/')
      ? readInboundHead({ ...head, defaultPort: direct.port })
      : readOutboundHead({ ...head, defaultPort: httpPort })
  if (reading.kind === 'bad-request') {
    return direct === undefined ? { ...reading, message: sentenceForTarget(target) } : reading
  }
  const { authority, path } = reading
  if (direct !== undefined && isMisdirected(authority, direct)) {
    return { kind: 'name-mismatch', authority, detail: 'not what the connection is for' }
  }
  if (goesRound(hopsOf(rawHeaders), options.via)) return { kind: 'loop', authority }
  const hasBody = announcesBody(rawHeaders)
  if (hasBody && options.isUpgrade) {
    return { kind: 'bad-request', authority, detail: 'an upgrade with content' }
  }
  return { kind: 'head', authority, path, hasBody }
}

/** The connection was decided for one host; a request on it for another would go where nobody let it (RFC 9110 15.5.20). */
function isMisdirected({ host, port }: Authority, direct: Direct): boolean {
  if (port !== direct.port) return true
  return direct.host !== undefined && formatHost(host) !== formatHost(direct.host)
}
