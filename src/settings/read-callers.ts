import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'
import { parseSecretHash } from '../perimeter/secret-hash.ts'
import { prefixesOverlap } from '../wire/address.ts'
import { readPrefixes } from './read-prefixes.ts'
import { type ReferenceContext, readReference } from './read-reference.ts'
import type { OutboundValue } from './schema.ts'
import type { BasicCaller, ListenAddress, OutboundCaller } from './settings.ts'

/** Reads how an outbound listener tells its members apart: each way must lead to one of them. */
export function readCallers(
  values: OutboundValue['callers'],
  context: ReferenceContext & { readonly listen: ListenAddress },
): readonly OutboundCaller[] {
  const { findings, listen } = context
  const read: Omit<OutboundCaller, 'resource'>[] = []
  return values.flatMap(({ resource: reference, basic, ...value }, index) => {
    const path = [...context.path, index]
    const prefixesPath = [...path, 'prefixes']
    const resource = readReference(reference, { ...context, path: [...path, 'resource'] })
    const everyone = `whoever reaches this listener may speak for ${quote(reference)}`
    const prefixes = readPrefixes(value.prefixes, { path: prefixesPath, findings, everyone })
    const { tokenAudience } = value
    const caller = {
      prefixes,
      basic: basic === undefined ? undefined : { ...basic },
      tokenAudience,
    }
    if (value.prefixes.length === 0 && basic === undefined && tokenAudience === undefined) {
      findings.error(path, 'nobody is known by this; name `prefixes`, `basic` or `tokenAudience`')
    }
    if ('socket' in listen && prefixes.length > 0) {
      findings.error(prefixesPath, 'a Unix socket knows no client addresses; use `basic`', 'key')
    }
    checkPrefixes(caller, { before: read, path: prefixesPath, findings })
    if (basic !== undefined) {
      checkBasic(basic, { before: read, path: [...path, 'basic'], findings })
    }
    read.push(caller)
    return resource === undefined ? [] : [{ resource, ...caller }]
  })
}

interface Context {
  readonly before: readonly Omit<OutboundCaller, 'resource'>[]
  readonly path: Path
  readonly findings: Findings
}

function checkPrefixes(
  { prefixes }: Pick<OutboundCaller, 'prefixes'>,
  { before, path, findings }: Context,
): void {
  const others = before.flatMap((caller) => caller.prefixes)
  for (const [index, prefix] of prefixes.entries()) {
    const other = others.find((one) => prefixesOverlap(one, prefix))
    if (other === undefined) continue
    findings.error(
      [...path, index],
      `${quote(prefix.text)} shares addresses with ${quote(other.text)} of another caller; who comes from them must be one member`,
    )
  }
}

/** RFC 7617 2: a user has no colon. */
const user = /^[!-9;-~]+$/

function checkBasic(basic: BasicCaller, { before, path, findings }: Context): void {
  if (!user.test(basic.user)) {
    const message = 'a user is printable ASCII without spaces and `:`'
    findings.error([...path, 'user'], message)
  } else if (before.some((caller) => caller.basic?.user === basic.user)) {
    findings.error([...path, 'user'], `the user ${quote(basic.user)} is listed twice`)
  }
  // THREAT: whoever writes a secret here instead of its hash must not find it in a log.
  if (parseSecretHash(basic.secretHash) === undefined) {
    const message = 'this is no hash of a secret; write what `ringfence hash-secret` prints'
    findings.error([...path, 'secretHash'], message)
  }
}
