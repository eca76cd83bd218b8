/** An instance as its settings say where it is: all that the doctor knows of it. */
export interface Instance {
  readonly inward: readonly InwardDoor[]
  readonly outward: readonly OutwardDoor[]
  /** The health listener. */
  readonly health: Address | undefined
  /** The admin socket. */
  readonly admin: string | undefined
}

export interface Address {
  readonly host: string
  readonly port: number
}

export interface InwardDoor {
  readonly name: string
  readonly address: Address
  /** `tcp`: nothing can be said on it but bytes. */
  readonly protocol: 'http' | 'tcp' | 'member'
  readonly isSecure: boolean
  readonly services: readonly Service[]
  /** Every request is for one resource, whatever its Host. */
  readonly isOfOne: boolean
}

/** A service behind an inbound listener, and what would open it if a stranger were believed. */
export interface Service {
  readonly host: string
  readonly mode: Mode
  /** Headers that say who calls. */
  readonly claims: readonly Claim[]
}

export interface Claim {
  /** As a sentence has it. */
  readonly what: string
  readonly header: string
  readonly value: string
  /** Whether the listener believes such a header from everybody, from this machine, or not from here. */
  readonly believed: 'from-everyone' | 'from-here' | 'not-from-here'
}

export interface OutwardDoor {
  readonly name: string
  readonly address: Address | { readonly socket: string }
  /** Of the member that it speaks for. */
  readonly mode: Mode
}

/** `open`: no perimeter associates the resource, so that nothing is promised about it. */
export type Mode = 'Enforced' | 'Learning' | 'Audit' | 'open'
