import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'
import { validatePrefix } from '../perimeter/validate-prefix.ts'
import type { Prefix } from '../wire/address.ts'

/** Parses a list of prefixes; what is wrong is reported and left out. */
export function readPrefixes(
  texts: readonly string[],
  at: { readonly path: Path; readonly findings: Findings },
): readonly Prefix[] {
  return texts.flatMap((text, index) => {
    const checked = validatePrefix(text)
    if (checked.kind === 'valid') return [checked.value]
    at.findings.error([...at.path, index], checked.message)
    return []
  })
}

/** Warns about a list of believed peers, or of clients, that holds everyone. */
export function warnOfEveryone(
  prefixes: readonly Prefix[],
  at: { readonly path: Path; readonly findings: Findings; readonly consequence: string },
): void {
  for (const prefix of prefixes) {
    if (prefix.length > 0) continue
    at.findings.warning(at.path, `${quote(prefix.text)} is everyone: ${at.consequence}`)
  }
}
