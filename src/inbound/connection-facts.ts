import type { Delivery } from '../identity/caller.ts'
import type { Proof } from '../identity/proof.ts'
import type { IpAddress } from '../wire/address.ts'

/** A connection as it arrived. Kept as long as it is open, so that it can be judged again from the start. */
export interface ConnectionFacts {
  /** Name of the listener. */
  readonly listener: string
  readonly peer: IpAddress | undefined
  readonly peerPort: number | undefined
  readonly delivery: Delivery | undefined
  /** What its verified client certificate proves; absent: there is none. */
  readonly certificate?: Proof | undefined
}
