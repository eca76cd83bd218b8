/** A value that was parsed from what a user wrote, or one sentence that says what is wrong with it and what to do. */
export type Checked<T> =
  | { readonly kind: 'valid'; readonly value: T }
  | { readonly kind: 'invalid'; readonly message: string }

export function valid<T>(value: T): Checked<T> {
  return { kind: 'valid', value }
}

export function invalid<T>(message: string): Checked<T> {
  return { kind: 'invalid', message }
}
