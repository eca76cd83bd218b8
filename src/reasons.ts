/**
 * The closed sets of words that say why: they are the same in code, access log, metrics, refusals and documents.
 * A new word is added here and nowhere else.
 */

/** What the first bytes inside a tunnel may be refused for, or only logged for. */
export const contentReasons = [
  'name-mismatch',
  'tls-name-absent',
  'tls-names-several',
  'tls-unreadable',
  'tls-encrypted',
  'not-tls',
] as const

export type ContentReason = (typeof contentReasons)[number]

/** Reasons of a decision: the stages of the two tables, what is denied before them and what is denied after an allow. */
export const decisionReasons = [
  // stages
  'private-endpoint',
  'locked-down',
  'public-access-disabled',
  'resource-rules',
  'same-perimeter',
  'linked-perimeter',
  'access-rule',
  'audit-mode',
  'no-matching-rule',
  'not-associated',
  'port-not-allowed',
  'learning-mode',
  // before stage 1, all deny
  'bad-request',
  'unknown-resource',
  'unknown-caller',
  'private-endpoint-not-approved',
  'limit',
  'loop',
  // after an allow, all deny
  'address-not-public',
  'policy-revoked',
  // after an allow, deny; or allow, where the first bytes of a tunnel are only logged
  ...contentReasons,
  // any fault, deny
  'internal-error',
] as const

export type DecisionReason = (typeof decisionReasons)[number]

/** Reasons for which an allowed exchange could not be carried out: the other side failed, not the policy. */
export const failureReasons = [
  'dns-failed',
  'dns-timeout',
  'connect-refused',
  'connect-timeout',
  'connect-failed',
  'tls-failed',
  'backend-timeout',
  'backend-reset',
  'backend-invalid',
  'upstream-proxy-failed',
  'upstream-proxy-refused',
  'loop',
] as const

export type FailureReason = (typeof failureReasons)[number]

/** How something that was open came to its end: the `closeReason` of an end line. */
export const closeReasons = [
  ...failureReasons,
  ...contentReasons,
  'complete',
  'client-closed',
  'client-reset',
  'client-invalid',
  'body-idle-timeout',
  'tunnel-idle-timeout',
  'tunnel-lifetime',
  'policy-revoked',
  'drain-timeout',
  'internal-error',
] as const

export type CloseReason = (typeof closeReasons)[number]
