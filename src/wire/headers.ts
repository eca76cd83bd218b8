/**
 * Header fields as Node's `rawHeaders` gives them. Whatever decides reads these and never `req.headers`, which drops and
 * joins duplicates.
 */

/** Flat list: name, value, name, value, …, spelled and ordered as they arrived. */
export type RawHeaders = readonly string[]

/**
 * Fields between two neighbours only (RFC 9110 7.6.1, and the fields that it names in 11.7, 10.1.4, 6.6.2; RFC 9112 6.1
 * and appendix C.2.2 for `proxy-connection` and `keep-alive`; RFC 9110 11.7.3 for `proxy-authentication-info`).
 */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * A client may name any field in Connection, and so have it dropped. Not these: a message that loses them means
 * something else to the next hop (request smuggling by `Connection: content-length`).
 */
const neverDroppedByName: ReadonlySet<string> = new Set(['content-length', 'host'])

/** All values of a field, in order. `lowerName` is lower case; only that spelling in any case counts. */
export function headerValues(raw: RawHeaders, lowerName: string): string[] {
  const values: string[] = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]
    if (name?.length === lowerName.length && name.toLowerCase() === lowerName) {
      values.push(raw[index + 1] ?? '')
    }
  }
  return values
}

/**
 * What a name is to software that folds names into variables: lower case, everything but letters and digits as `-`. CGI,
 * WSGI and most frameworks fold `-`, some servers every sign that a field name may have. `X_Nsp.Subscription!Id` reaches
 * such software as `x-nsp-subscription-id`, so it is that field here too.
 */
export function foldName(name: string): string {
  const lower = name.toLowerCase()
  return plainName.test(lower) ? lower : lower.replace(/[^a-z0-9-]/g, '-')
}

const plainName = /^[a-z0-9-]*$/

/** Whether the field is for the next hop only. `lowerName` is lower case. */
export function isHopByHop(lowerName: string): boolean {
  return hopByHop.has(lowerName)
}

/** Lower-cased names in all Connection values (RFC 9110 7.6.1). */
export function connectionOptions(raw: RawHeaders): ReadonlySet<string> {
  const options = new Set<string>()
  for (const value of headerValues(raw, 'connection')) {
    for (const option of value.split(',')) {
      const name = option.trim().toLowerCase()
      if (name !== '') options.add(name)
    }
  }
  return options
}

/**
 * A copy without hop-by-hop fields and without the fields that a Connection value names. Framing and Host survive being
 * named. Whoever sets fields of ours does so after this, or a client could name them away.
 */
export function withoutHopByHop(raw: RawHeaders): string[] {
  return withoutHeaders(raw, hopByHopIn(raw))
}

/** Which fields of a message `withoutHopByHop` takes out; asked with the lower-case name. */
export function hopByHopIn(raw: RawHeaders): (lowerName: string) => boolean {
  const named = connectionOptions(raw)
  return (lowerName) =>
    hopByHop.has(lowerName) || (named.has(lowerName) && !neverDroppedByName.has(lowerName))
}

/** A copy without the fields that `drop` names; it is asked with the lower-case name. */
export function withoutHeaders(raw: RawHeaders, drop: (lowerName: string) => boolean): string[] {
  const kept: string[] = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? ''
    if (!drop(name.toLowerCase())) kept.push(name, raw[index + 1] ?? '')
  }
  return kept
}
