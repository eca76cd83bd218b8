import { createHash } from 'node:crypto'
import type { OwnVia } from '../wire/via.ts'
import { ownViaOf } from '../wire/via.ts'
import type { Side } from './data-plane.ts'

const idDigits = 16

/**
 * How the listeners of one side name themselves in Via: alike on all threads, and for every start anew, so that nobody
 * learns a name of the inside or can tell one instance from the next.
 */
export function createVia(boot: string, side: Side): (listener: string) => OwnVia {
  const known = new Map<string, OwnVia>()
  return (listener) => {
    const found = known.get(listener)
    if (found !== undefined) return found
    const hash = createHash('sha256').update(`${boot} ${side} ${listener}`).digest('hex')
    const via = ownViaOf(hash.slice(0, idDigits))
    known.set(listener, via)
    return via
  }
}
