import type { Findings } from '../documents/findings.ts'
import type { Placed } from '../documents/placed.ts'
import { quote } from '../perimeter/quote.ts'
import type { Resource } from '../perimeter/resource.ts'
import type { Settings } from './settings.ts'

/**
 * Whether a token that was made for one opens another: whoever is shown it keeps it, and may show it there.
 */
export function checkAudiences(
  { identity, outbound }: Pick<Settings, 'identity' | 'outbound'>,
  context: { readonly resources: readonly Placed<Resource>[]; readonly findings: Findings },
): void {
  const { tokens, speakers } = identity
  if (tokens === undefined) return
  const { findings } = context
  const shared = new Set(
    tokens.issuers.flatMap(({ speaker }) => speakers.get(speaker)?.audiences ?? []),
  )
  const nameByAudience = new Map<string, string>()
  let nameByShared: string | undefined
  for (const { value, path } of context.resources) {
    const { audience, backend, id } = value
    if (backend === undefined || backend.scheme === 'tcp') continue
    const other = audience === undefined ? nameByShared : nameByAudience.get(audience)
    if (other !== undefined && (audience !== undefined || shared.size > 0)) {
      findings.warning(
        [...path, audience === undefined ? 'id' : 'audience'],
        `a token for ${quote(other)} opens ${quote(id.name)} too; give each an \`audience\` of its own`,
      )
    }
    if (audience === undefined) nameByShared ??= id.name
    else nameByAudience.set(audience, id.name)
  }
  for (const [index, { callers }] of outbound.entries()) {
    for (const { tokenAudience } of callers) {
      if (tokenAudience === undefined) continue
      const isShown = shared.has(tokenAudience) || nameByAudience.has(tokenAudience)
      if (!isShown) continue
      findings.error(
        ['outbound', index],
        `${quote(tokenAudience)} is the audience of resources too, which could use the tokens that they are shown to go out; choose another`,
      )
    }
  }
}
