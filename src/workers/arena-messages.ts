/** What writer and readers of an arena pair tell one another. An epoch names one filling, as in `policy/arena.ts`. */

export type ToReader<Payload = unknown> =
  | { readonly kind: 'prepare'; readonly epoch: number; readonly payload: Payload }
  | { readonly kind: 'committed'; readonly epoch: number }

export type ToWriter =
  | { readonly kind: 'prepared'; readonly epoch: number }
  /** It cannot be opened. */
  | { readonly kind: 'refused'; readonly epoch: number; readonly message: string }
  /** The only one that this reader still looks into; 0 for none. */
  | { readonly kind: 'holds'; readonly epoch: number }

/** Where in the control buffer the epoch in force stands; 0 before the first. */
export const epochInForce = 0

export const controlBytes = 4
