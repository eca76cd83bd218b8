import type { Proof } from './proof.ts'

/** What a request's token came to. It is no error: whoever has no identity is judged without. */
export type TokenFinding =
  | { readonly kind: 'proof'; readonly proof: Proof }
  | NoIdentity
  /** There are two, and which of them a back end would read is not known: 400. */
  | { readonly kind: 'ambiguous'; readonly detail: string }

export interface NoIdentity {
  readonly kind: 'nothing'
  /** Why, a fixed phrase for the log: nothing of the token is ever in it. */
  readonly note: string
  /** Until when the same token comes to the same; milliseconds since the epoch. */
  readonly until: number
}
