import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { type Guid, parseGuid } from '../perimeter/guid.ts'
import { defaultPerimeterGuid } from '../perimeter/perimeter-guid.ts'
import { parsePerimeterId } from '../perimeter/perimeter-id.ts'
import { quote } from '../perimeter/quote.ts'

interface Context {
  readonly path: Path
  readonly findings: Findings
}

/** Whom somebody who proves who calls may speak for. Nobody at all is an error: nothing that it proves could count. */
export function readTrustScope(
  value: { readonly perimeters: readonly string[]; readonly subscriptions: readonly string[] },
  { path, findings }: Context,
): { readonly perimeters: readonly Guid[]; readonly subscriptions: readonly Guid[] } {
  if (value.subscriptions.length === 0) {
    findings.error(
      path,
      'it may speak for nobody; name the `subscriptions` of those it speaks for, and their `perimeters`',
    )
  }
  return {
    perimeters: value.perimeters.flatMap((text, index) => {
      return readPerimeter(text, { path: [...path, 'perimeters', index], findings }) ?? []
    }),
    subscriptions: value.subscriptions.flatMap((text, index) => {
      const guid = parseGuid(text)
      if (guid !== undefined) return [guid]
      findings.error([...path, 'subscriptions', index], `${quote(text)} is not a GUID`)
      return []
    }),
  }
}

/** A GUID, or the resource id of a perimeter that has its default one. */
export function readPerimeter(text: string, { path, findings }: Context): Guid | undefined {
  const id = parsePerimeterId(text)
  const guid = id === undefined ? parseGuid(text) : defaultPerimeterGuid(id)
  if (guid === undefined) {
    findings.error(
      path,
      `${quote(text)} is neither a GUID nor the resource id of a network security perimeter`,
    )
  }
  return guid
}
