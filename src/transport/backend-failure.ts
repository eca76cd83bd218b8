import type { FailureReason } from '../reasons.ts'

/** How far a connection to a back end has come. */
export type BackendPhase = 'resolving' | 'connecting' | 'securing' | 'ready'

/** What our own connect deadline destroys a socket with. */
export const connectDeadlineCode = 'RF_CONNECT_DEADLINE'

/** What an error is called when nothing finer is known. */
const byPhase = {
  resolving: 'dns-failed',
  connecting: 'connect-failed',
  securing: 'tls-failed',
  ready: 'backend-reset',
} as const satisfies Record<BackendPhase, FailureReason>

/** What our own deadline is called. */
const deadlineByPhase = {
  resolving: 'dns-timeout',
  connecting: 'connect-timeout',
  securing: 'connect-timeout',
  ready: 'backend-timeout',
} as const satisfies Record<BackendPhase, FailureReason>

/** Codes that say it by themselves (errors of getaddrinfo, connect(2); Node's documentation of errors). */
const byCode: ReadonlyMap<string, FailureReason> = new Map([
  ['ENOTFOUND', 'dns-failed'],
  ['EAI_AGAIN', 'dns-failed'],
  ['EAI_FAIL', 'dns-failed'],
  ['EAI_NODATA', 'dns-failed'],
  ['EAI_NONAME', 'dns-failed'],
  ['ECONNREFUSED', 'connect-refused'],
  ['EHOSTUNREACH', 'connect-failed'],
  ['ENETUNREACH', 'connect-failed'],
  ['EHOSTDOWN', 'connect-failed'],
])

/** Node's HTTP parser names its errors so. */
const parserPrefix = 'HPE_'

/** The reason for which a call to a back end failed. Codes decide, never words. */
export function failureReason(error: Error, phase: BackendPhase): FailureReason {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === connectDeadlineCode) return deadlineByPhase[phase]
  if (code === 'ETIMEDOUT') return phase === 'ready' ? 'backend-reset' : 'connect-timeout'
  if (code.startsWith(parserPrefix)) return 'backend-invalid'
  return byCode.get(code) ?? byPhase[phase]
}
