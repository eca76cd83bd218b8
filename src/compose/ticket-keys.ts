import { randomBytes } from 'node:crypto'
import type { ListenerPem, ListenerPems } from './read-secure-contexts.ts'

/** Of OpenSSL: a name, a key for the content and a key against changes. */
const ticketKeyBytes = 48

/**
 * Gives each listener with TLS the keys of its session tickets, the same for all threads, so that a client resumes
 * wherever its next connection goes. A new certificate gets new ones: what was agreed under the old one ends with it.
 */
export function createTicketKeys(): (pems: ListenerPems) => ListenerPems {
  let known: ListenerPems = new Map()
  return (pems) => {
    known = new Map(Array.from(pems, ([name, pem]) => [name, withKeys(pem, known.get(name))]))
    return known
  }
}

function withKeys(pem: ListenerPem, before: ListenerPem | undefined): ListenerPem {
  const isSame = before?.cert === pem.cert && before.key === pem.key
  const ticketKeys = (isSame ? before.ticketKeys : undefined) ?? randomBytes(ticketKeyBytes)
  return { ...pem, ticketKeys }
}
