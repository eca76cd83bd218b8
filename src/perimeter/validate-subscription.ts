import { type Checked, invalid, valid } from './checked.ts'
import { type Guid, parseGuid } from './guid.ts'
import { quote } from './quote.ts'

/** The `id` of an element of `subscriptions`: `/subscriptions/{guid}`. */
export function validateSubscriptionId(text: string): Checked<Guid> {
  const [, inner] = /^\/subscriptions\/([^/]+)$/i.exec(text) ?? []
  const guid = inner === undefined ? undefined : parseGuid(inner)
  if (guid !== undefined) return valid(guid)
  const bare = parseGuid(text)
  const advice = bare === undefined ? '/subscriptions/{guid}' : `/subscriptions/${bare}`
  return invalid(`${quote(text)} is no subscription; write \`${advice}\``)
}
