import { headerValues, type RawHeaders } from './headers.ts'

/**
 * Via (RFC 9110 7.6.3), by which a message that comes back is known. Each listener of each instance goes by a name of its
 * own, which says nothing about the inside; what others wrote there counts for nothing.
 */

/** How a listener names itself in what it forwards. */
export interface OwnVia {
  /** As `received-by`. */
  readonly pseudonym: string
  /** `1.1 pseudonym`; what is forwarded is always HTTP/1.1 to us. */
  readonly value: string
  /** The same as a field line. */
  readonly line: string
}

const prefix = 'ringfence-'

/** `id` is 16 small hexadecimal digits. */
export function ownViaOf(id: string): OwnVia {
  const pseudonym = `${prefix}${id}`
  const value = `1.1 ${pseudonym}`
  return { pseudonym, value, line: `Via: ${value}\r\n` }
}

const ours = /^ringfence-[0-9a-f]{16}$/

/** Listeners of Ringfence, of this instance and others, that a message has passed, in order. */
export function hopsOf(rawHeaders: RawHeaders): readonly string[] {
  const passed = headerValues(rawHeaders, 'via')
  if (passed.length === 0) return passed
  return passed
    .flatMap((value) => value.split(','))
    .flatMap((hop) => hop.trim().split(/[\t ]+/)[1] ?? [])
    .filter((name) => ours.test(name))
}

/** The whole value for what is forwarded: the listeners of ours that it has passed, and this one. */
export function viaBehind(rawHeaders: RawHeaders, { value }: OwnVia): string {
  return [...hopsOf(rawHeaders).map((pseudonym) => `1.1 ${pseudonym}`), value].join(', ')
}

/**
 * Listeners that a message may have passed. A chain of services that each copy the fields they were sent passes two at
 * each; a circle that grows without coming back to the same listener, over replicas of one gateway, ends here.
 */
export const maxHops = 16

/** Whether a message goes round in circles: it passed this listener before, or too many. */
export function goesRound(hops: readonly string[], { pseudonym }: OwnVia): boolean {
  return hops.length >= maxHops || hops.includes(pseudonym)
}
