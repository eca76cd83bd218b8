import type { Certificate } from '../certificate.ts'
import type { Children, Service } from '../children.ts'

/** What is measured: Ringfence and its peers, each as the shortest configuration that does the same. */

/** What a proxy is set up for. `tcp` is a plain port forwarder, for those that know no CONNECT. */
export type Purpose = 'reverse' | 'reverse-tls' | 'forward' | 'tcp'

/** Where and for what a candidate is started. */
export interface Place {
  readonly purpose: Purpose
  /** Its own, and empty. */
  readonly folder: string
  readonly core: number | readonly number[]
  /** On 127.0.0.1, free a moment ago. */
  readonly port: number
  /** Port on 127.0.0.1 of what is behind the proxy. */
  readonly target: number
  readonly certificate: Certificate
  readonly children: Children
}

export interface Candidate {
  readonly name: string
  /** What the installed one says it is; undefined if there is none. */
  version(): Promise<string | undefined>
  /** The command that installs it. */
  readonly install: string
  readonly purposes: ReadonlySet<Purpose>
  /** The name that stands for 127.0.0.1 in requests to a forward proxy. */
  readonly destination: string
  /** Writes its configuration and starts it. */
  start(place: Place): Promise<Service>
}

/** The Host under which the back end is reached; no candidate forwards any other. */
export const backendHost = 'orders.bench.example'
/** The destination that a rule allows; no candidate lets anyone out to another. */
export const originHost = 'origin.bench.example'
