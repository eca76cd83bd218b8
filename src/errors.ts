/**
 * The catalogue of errors that leave a function by `throw`. Nowhere else is a code invented. What a peer does wrong is
 * no error: it is a decision or a failure with a reason (`reasons.ts`).
 */
export const errorCatalogue = {
  RF_SETTINGS: 'settings that cannot be used',
  RF_POLICY: 'perimeter documents that cannot be used',
  RF_LISTEN: 'an address that cannot be listened on',
  RF_AUDIT: 'an access log that cannot be opened',
  RF_USAGE: 'a command line that makes no sense',
} as const

export type ErrorCode = keyof typeof errorCatalogue

/** What every error of the product is: a stable `code`, one lower-case sentence, and the cause where there is one. */
export class PerimeterError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PerimeterError'
    this.code = code
  }
}
