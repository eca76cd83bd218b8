import { createFindings, type Findings } from '../documents/findings.ts'
import { parseDocument } from '../documents/parse-document.ts'
import { readText } from '../documents/read-text.ts'
import { validateShape } from '../documents/validate-shape.ts'
import type { ReferenceScope } from '../perimeter/resource-reference.ts'
import { assemblePerimeters } from './assemble-perimeters.ts'
import { createOriginalFindings, createOrigins } from './origins.ts'
import type { KnownResources, NamedServiceTags } from './perimeter-context.ts'
import { type LoadedPerimeter, readPerimeter } from './read-perimeter.ts'
import { readRestBodies } from './read-rest-bodies.ts'
import { readTemplate } from './read-template.ts'
import { recogniseForm } from './recognise-form.ts'
import { perimeterShape } from './schema.ts'

export interface StoreOptions {
  readonly scope: ReferenceScope | undefined
  /** Those of the settings: what bare names may mean. */
  readonly resources: KnownResources
  readonly serviceTags: NamedServiceTags
}

export interface LoadedFile {
  readonly perimeters: readonly LoadedPerimeter[]
  /** Takes paths into the file. */
  readonly findings: Findings
}

/** Reads one perimeter file in any of its forms. `file` is absolute. Never rejects. */
export async function loadPerimeterFile(file: string, options: StoreOptions): Promise<LoadedFile> {
  const source = await readText(file)
  if (source.kind === 'unreadable') {
    const findings = createFindings(() => ({ file, line: 1, column: 1 }))
    findings.error([], source.message)
    return { perimeters: [], findings }
  }
  const { data, findings } = parseDocument(file, source.text)
  if (data === undefined) return { perimeters: [], findings }
  const form = recogniseForm(data)
  if (form.kind === 'native') {
    return { perimeters: readTree(data, { ...options, findings, lenient: false }), findings }
  }
  const bodies =
    form.kind === 'template'
      ? readTemplate(form.template, findings)
      : readRestBodies(form.bodies, findings)
  const origins = createOrigins()
  const trees = assemblePerimeters(bodies, { findings, origins })
  if (trees.length === 0 && !findings.hasErrors) {
    findings.error([], 'the file holds no network security perimeter')
  }
  const perimeters = trees.flatMap((tree) =>
    readTree(tree, {
      ...options,
      findings: createOriginalFindings(findings, tree, origins),
      lenient: true,
    }),
  )
  return { perimeters, findings }
}

function readTree(
  tree: unknown,
  options: StoreOptions & { readonly findings: Findings; readonly lenient: boolean },
): readonly LoadedPerimeter[] {
  const { findings, lenient } = options
  const validated = validateShape(perimeterShape, tree, {
    findings,
    unknownKeys: lenient ? 'warning' : 'error',
  })
  if (validated === undefined) return []
  const perimeter = readPerimeter(validated.value, { ...options, findings: validated.findings })
  return perimeter === undefined ? [] : [perimeter]
}
