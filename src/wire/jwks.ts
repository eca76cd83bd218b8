/** A key that signatures are verified by (RFC 7517), with what it is found by and nothing else: never a secret part. */
export interface PublicJwk {
  readonly kty: string
  readonly kid?: string
  readonly use?: string
  readonly alg?: string
  readonly key_ops?: string[]
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly n?: string
  readonly e?: string
}

/** Issuers have two or three at a time, and some publish those of all their tenants. */
const maxKeys = 64

/** What each kind of asymmetric key is made of. A symmetric key is nobody's to publish, and there is none of it here. */
const parts: ReadonlyMap<unknown, readonly ('crv' | 'x' | 'y' | 'n' | 'e')[]> = new Map([
  ['RSA', ['n', 'e'] as const],
  ['EC', ['crv', 'x', 'y'] as const],
  ['OKP', ['crv', 'x'] as const],
])

/** The public signing keys of a JSON Web Key Set; undefined where the text is none, holds no such key, or very many. */
export function parseJwks(text: string): readonly PublicJwk[] | undefined {
  const parsed = parseJson(text)
  if (typeof parsed !== 'object' || parsed === null || !('keys' in parsed)) return undefined
  if (!Array.isArray(parsed.keys) || parsed.keys.length > maxKeys) return undefined
  const keys = parsed.keys.map(readKey).filter((key) => key !== undefined)
  return keys.length === 0 ? undefined : keys
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Undefined for what is of no use to us: RFC 7517 5 has it that such keys are ignored. */
function readKey(value: unknown): PublicJwk | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const key = new Map<string, unknown>(Object.entries(value))
  const kty = key.get('kty')
  const needed = parts.get(kty)
  if (typeof kty !== 'string' || needed === undefined) return undefined
  const material: Record<string, string> = {}
  for (const name of needed) {
    const part = key.get(name)
    if (typeof part !== 'string') return undefined
    material[name] = part
  }
  const operations = key.get('key_ops')
  const [kid, use, alg] = [key.get('kid'), key.get('use'), key.get('alg')]
  if (use !== undefined && use !== 'sig') return undefined
  if (operations !== undefined && !isListOfText(operations)) return undefined
  return {
    kty,
    ...material,
    ...(typeof kid === 'string' ? { kid } : {}),
    ...(use === undefined ? {} : { use }),
    ...(typeof alg === 'string' ? { alg } : {}),
    ...(operations === undefined ? {} : { key_ops: operations }),
  }
}

function isListOfText(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
