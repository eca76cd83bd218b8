import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toPublishedSchema } from '../src/documents/json-schema.ts'
import { settingsShape } from '../src/settings/schema.ts'
import { perimeterShape } from '../src/store/schema.ts'

/** Writes what is generated from the declarations of settings and perimeters. A test fails while a file is stale. */

export interface GeneratedFile {
  /** Relative to the root of the repository. */
  readonly path: string
  readonly text: string
}

export function generatedFiles(): readonly GeneratedFile[] {
  const settings = toPublishedSchema(settingsShape, 'Settings of a Ringfence instance')
  const perimeter = toPublishedSchema(perimeterShape, 'A network security perimeter')
  return [
    { path: 'config/settings.schema.json', text: format(settings) },
    { path: 'config/perimeter.schema.json', text: format(perimeter) },
  ]
}

function format(schema: unknown): string {
  return `${JSON.stringify(schema, undefined, 2)}\n`
}

if (import.meta.main) {
  for (const { path, text } of generatedFiles()) {
    await writeFile(join(import.meta.dirname, '..', path), text)
    console.log(`wrote ${path}`)
  }
}
