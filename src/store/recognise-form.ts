import { asRecord } from './foreign-body.ts'

/** The forms that a perimeter file may have. */
export type Form =
  | { readonly kind: 'native' }
  | { readonly kind: 'template'; readonly template: Readonly<Record<string, unknown>> }
  | { readonly kind: 'rest'; readonly bodies: unknown }

/** Tells the forms apart by keys that the native one does not have. */
export function recogniseForm(data: unknown): Form {
  if (Array.isArray(data)) return { kind: 'rest', bodies: data }
  const record = asRecord(data)
  if (record === undefined) return { kind: 'native' }
  if (record['resources'] !== undefined) return { kind: 'template', template: record }
  const isBody = record['id'] !== undefined && record['properties'] !== undefined
  if (Array.isArray(record['value']) || isBody) return { kind: 'rest', bodies: data }
  return { kind: 'native' }
}
