import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Authority } from '../wire/authority.ts'
import type { RawHeaders } from '../wire/headers.ts'
import { readOutboundHead } from '../wire/request-head.ts'
import { goesRound, hopsOf, type OwnVia } from '../wire/via.ts'
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
      readonly kind: 'bad-request' | 'loop'
      /** Where one could be read. */
      readonly authority?: Authority
      readonly detail?: string
      /** For the client. */
      readonly message?: string | undefined
      readonly status?: number
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
  },
): ForwardHead {
  const { method, target, httpVersion, rawHeaders } = request
  const { headerCount } = options
  const defaultPort = httpPort
  const reading = readOutboundHead({
    method,
    target,
    httpVersion,
    rawHeaders,
    defaultPort,
    headerCount,
  })
  if (reading.kind === 'bad-request') {
    return { ...reading, message: sentenceForTarget(target) }
  }
  const { authority, path } = reading
  if (goesRound(hopsOf(rawHeaders), options.via)) return { kind: 'loop', authority }
  const hasBody = announcesBody(rawHeaders)
  if (hasBody && options.isUpgrade) {
    return { kind: 'bad-request', authority, detail: 'an upgrade with content' }
  }
  return { kind: 'head', authority, path, hasBody }
}
