import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'
import { validatePrefix } from '../perimeter/validate-prefix.ts'
import type { Prefix } from '../wire/address.ts'

export interface PrefixesContext {
  readonly path: Path
  readonly findings: Findings
  /** What follows where the list holds everyone, in words for a warning; absent: nothing of note. */
  readonly everyone?: string
}

/** Parses a list of prefixes; what is wrong is reported and left out. */
export function readPrefixes(
  texts: readonly string[],
  context: PrefixesContext,
): readonly Prefix[] {
  const { everyone, findings } = context
  return texts.flatMap((text, index) => {
    const path = [...context.path, index]
    const checked = validatePrefix(text)
    if (checked.kind === 'invalid') {
      findings.error(path, checked.message)
      return []
    }
    const whom = everyone === undefined ? undefined : breadth(checked.value)
    if (whom !== undefined) findings.warning(path, `${quote(text)} is ${whom}: ${everyone}`)
    return [checked.value]
  })
}

/** Nobody owns a network as wide as this: two halves of the internet are the internet. */
const widestPlausible = { ipv4: 8, ipv6: 16 }

function breadth({ bytes, length }: Prefix): string | undefined {
  if (length === 0) return 'everyone'
  const widest = bytes.length === 4 ? widestPlausible.ipv4 : widestPlausible.ipv6
  return length < widest ? 'almost everyone' : undefined
}
