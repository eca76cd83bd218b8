import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'

/** Reports names that occur twice in a list. ARM compares names without regard to case. */
export function reportDuplicates(
  values: readonly { readonly name: string }[],
  context: { readonly path: Path; readonly what: string; readonly findings: Findings },
): void {
  const seen = new Set<string>()
  for (const [index, { name }] of values.entries()) {
    const key = name.toLowerCase()
    if (seen.has(key)) {
      context.findings.error(
        [...context.path, index, 'name'],
        `the ${context.what} ${quote(name)} is declared twice`,
      )
    }
    seen.add(key)
  }
}
