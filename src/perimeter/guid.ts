declare const guidBrand: unique symbol

/** A GUID in lower case, the identity of subscriptions and perimeters (RFC 9562 text form). */
export type Guid = string & { readonly [guidBrand]: true }

const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Parses a GUID in any case; undefined for anything else (braces, no hyphens). */
export function parseGuid(text: string): Guid | undefined {
  const lower = text.toLowerCase()
  return guid.test(lower) ? (lower as Guid) : undefined
}
