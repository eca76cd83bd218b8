import { createFindings, type Findings } from '../documents/findings.ts'
import { parseDocument } from '../documents/parse-document.ts'
import { readText } from '../documents/read-text.ts'
import { validateShape } from '../documents/validate-shape.ts'
import type { Perimeter } from '../perimeter/perimeter.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { ReferenceScope } from '../perimeter/resource-reference.ts'
import { readPerimeter } from './read-perimeter.ts'
import { perimeterShape } from './schema.ts'

/** A perimeter and where it came from. */
export interface LoadedPerimeter {
  readonly perimeter: Perimeter
  /** Takes paths in the native form of this perimeter, whatever the form of its file. */
  readonly findings: Findings
}

export interface StoreOptions {
  readonly scope: ReferenceScope | undefined
  /** What bare names may mean; undefined where settings could not be read in full. */
  readonly resources: readonly ResourceId[] | undefined
}

export interface LoadedFile {
  readonly perimeters: readonly LoadedPerimeter[]
  readonly findings: Findings
}

/** Reads one perimeter file. Never rejects. */
export async function loadPerimeterFile(file: string, options: StoreOptions): Promise<LoadedFile> {
  const source = await readText(file)
  if (source.kind === 'unreadable') {
    const findings = createFindings(() => ({ file, line: 1, column: 1 }))
    findings.error([], source.message)
    return { perimeters: [], findings }
  }
  const { data, findings } = parseDocument(file, source.text)
  if (data === undefined) return { perimeters: [], findings }
  const validated = validateShape(perimeterShape, data, { findings, unknownKeys: 'error' })
  if (validated === undefined) return { perimeters: [], findings }
  const perimeter = readPerimeter(validated.value, {
    ...options,
    findings: validated.findings,
    lenient: false,
  })
  return {
    perimeters: perimeter === undefined ? [] : [{ perimeter, findings: validated.findings }],
    findings,
  }
}
