import type { RefusalHint } from './refusal.ts'
import { type Authority, formatAuthority } from './authority.ts'

/** What an outbound refusal tells our own workload: where it wanted to go and the rule that would let it. */

export interface HintInput {
  readonly destination: Authority
  /** Name of the profile that has no such rule; undefined where no profile applies. */
  readonly profile: string | undefined
}

/** NSP's limit for names (REST specification). */
const maxRuleName = 80

/** The hint. An address literal gets no rule: FQDN rules match names only. */
export function outboundHint({ destination, profile }: HintInput): RefusalHint {
  return {
    destination: formatAuthority(destination),
    ...(profile === undefined ? {} : { profile }),
    ...(profile === undefined || destination.host.kind !== 'name'
      ? {}
      : { rule: allowingRule(destination.host.name) }),
  }
}

/** The name is canonical, so it needs no escape; it is quoted because `null` and `on` are names too. */
function allowingRule(name: string): string {
  const ruleName = `allow-${name}`.slice(0, maxRuleName).replace(/[^0-9A-Za-z_]+$/, '')
  return `- { name: ${ruleName}, direction: Outbound, fullyQualifiedDomainNames: ["${name}"] }`
}
