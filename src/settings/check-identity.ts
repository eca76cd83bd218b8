import type { Findings } from '../documents/findings.ts'
import type { Placed } from '../documents/placed.ts'
import { quote } from '../perimeter/quote.ts'
import type { Resource } from '../perimeter/resource.ts'
import { prefixesOverlap } from '../wire/address.ts'
import { foldName } from '../wire/headers.ts'
import type { Settings } from './settings.ts'

/** Names with a meaning of their own: as an identity header they would be read, removed or written for two reasons. */
const reservedHeaders =
  /^(?:host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|content-.*|proxy-.*|authorization|cookie|set-cookie|date|via|forwarded|x-forwarded-.*|x-ms-request-id|x-ms-error-code)$/

/** What identity settings mean, and what of them the resources need. */
export function checkIdentity(
  { identity, inbound, outbound }: Pick<Settings, 'identity' | 'inbound' | 'outbound'>,
  context: { readonly resources: readonly Placed<Resource>[]; readonly findings: Findings },
): void {
  const { findings } = context
  const senders = inbound.flatMap(({ proxyProtocol }) => proxyProtocol?.trustedPrefixes ?? [])
  for (const [index, believed] of identity.headersTrustedFrom.entries()) {
    const sender = senders.find((one) => prefixesOverlap(one, believed))
    if (sender === undefined) continue
    findings.warning(
      ['identity', 'headersTrustedFrom', index],
      `${quote(believed.text)} and ${quote(sender.text)} of a \`proxyProtocol\` share addresses: a proxy that passes bytes on unread lets any client write these headers`,
    )
  }
  const seen = new Map<string, string>()
  for (const [kind, name] of Object.entries(identity.headers)) {
    const path = kind === 'token' ? ['identity', 'tokens', 'header'] : ['identity', 'headers', kind]
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
  if (identity.tokens === undefined) {
    for (const { callers, name } of outbound) {
      if (callers.every(({ tokenAudience }) => tokenAudience === undefined)) continue
      findings.error(
        ['outbound'],
        `${quote(name)} knows callers by tokens: add \`identity.tokens\``,
      )
    }
  }
  for (const { value, path } of context.resources) {
    const message = tokenProblem(identity, value)
    if (message !== undefined) findings.warning([...path, 'id'], message)
  }
}

/** Where tokens can say nothing, because nobody told whom they are made for. */
function tokenProblem(
  { tokens, speakers }: Settings['identity'],
  { id, audience, backend }: Resource,
): string | undefined {
  if (tokens === undefined) {
    if (audience === undefined) return undefined
    return `the \`audience\` of ${quote(id.name)} has no effect without \`identity.tokens\``
  }
  if (audience !== undefined || backend === undefined || backend.scheme === 'tcp') return undefined
  const isMeant = tokens.issuers.some(({ speaker }) => speakers.get(speaker)?.audiences?.length)
  if (isMeant) return undefined
  return `no token says who calls ${quote(id.name)}: give it an \`audience\`, or an issuer \`audiences\``
}
