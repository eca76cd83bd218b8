import type { Findings } from '../documents/findings.ts'
import { quote } from '../perimeter/quote.ts'
import { foldName } from '../wire/headers.ts'
import type { IdentitySettings } from './settings.ts'

/** Names with a meaning of their own: as an identity header they would be read, removed or written for two reasons. */
const reservedHeaders =
  /^(?:host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|content-.*|proxy-.*|authorization|cookie|set-cookie|date|via|forwarded|x-forwarded-.*|x-ms-request-id|x-ms-error-code)$/

/** What identity settings mean. */
export function checkIdentity(identity: IdentitySettings, findings: Findings): void {
  const seen = new Map<string, string>()
  for (const [kind, name] of Object.entries(identity.headers)) {
    const path = ['identity', 'headers', kind]
    const folded = foldName(name)
    if (reservedHeaders.test(folded)) {
      findings.error(
        path,
        `the header ${quote(name)} has another meaning; choose a name of its own`,
      )
    }
    const other = seen.get(folded)
    if (other !== undefined) {
      findings.error(
        path,
        `the header ${quote(name)} already carries the ${other}; give each its own`,
      )
    }
    seen.set(folded, kind)
  }
}
