import type { Logger } from 'pino'

/** The operational log: what happens to the process, never mixed into the access log. */
export type OperationalLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>
