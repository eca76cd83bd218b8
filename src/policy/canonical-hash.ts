import { createHash, type Hash } from 'node:crypto'
import { KiB } from '../units.ts'

/**
 * SHA-256 (hex) of plain data in one canonical form: keys sorted, absent and undefined properties alike, every value
 * prefixed by its kind and size so that no two values share a form. The form is fed to the hash piece by piece and
 * never exists as a whole: a million rules are no giant string.
 *
 * @throws TypeError for what is no plain data (a function, a symbol, a map with objects for keys).
 */
export function hashCanonical(value: unknown): string {
  const writer = new HashWriter()
  writeValue(writer, value)
  return writer.digest()
}

const chunkLength = 64 * KiB

/** Collects small pieces of text before they are hashed: a call for each piece would cost more than the hash. */
class HashWriter {
  readonly #hash: Hash = createHash('sha256')
  #pending = ''

  write(piece: string): void {
    this.#pending += piece
    if (this.#pending.length >= chunkLength) this.#flush()
  }

  digest(): string {
    this.#flush()
    return this.#hash.digest('hex')
  }

  #flush(): void {
    this.#hash.update(this.#pending, 'utf8')
    this.#pending = ''
  }
}

function writeValue(writer: HashWriter, value: unknown): void {
  switch (typeof value) {
    case 'string':
      writer.write(`s${value.length}:${value}`)
      return
    case 'number':
    case 'bigint':
    case 'boolean':
    case 'undefined':
      writer.write(`${typeof value}:${String(value)};`)
      return
    case 'object':
      writeObject(writer, value)
      return
    case 'function':
    case 'symbol':
      throw new TypeError(`a ${typeof value} has no canonical form`)
  }
}

function writeObject(writer: HashWriter, value: object | null): void {
  if (value === null) {
    writer.write('null;')
  } else if (Array.isArray(value)) {
    writer.write(`l${value.length}:`)
    for (const item of value) writeValue(writer, item)
  } else if (value instanceof Uint8Array) {
    writer.write(`b${value.length}:${Buffer.from(value).toString('hex')}`)
  } else if (value instanceof Map) {
    writeSorted(writer, { kind: 'm', entries: [...value] })
  } else if (value instanceof Set) {
    writeSorted(writer, { kind: 'e', entries: [...value].map((member) => [member, true]) })
  } else {
    writeRecord(writer, value)
  }
}

function writeRecord(writer: HashWriter, record: object): void {
  const entries = Object.entries(record).filter(([, value]) => value !== undefined)
  writeSorted(writer, { kind: 'o', entries })
}

function writeSorted(
  writer: HashWriter,
  collection: { readonly kind: string; readonly entries: readonly (readonly [unknown, unknown])[] },
): void {
  const entries = collection.entries.map(([key, value]) => [toText(key), value] as const)
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  writer.write(`${collection.kind}${entries.length}:`)
  for (const [key, value] of entries) {
    writeValue(writer, key)
    writeValue(writer, value)
  }
}

function toText(key: unknown): string {
  if (typeof key === 'string') return key
  if (typeof key === 'number') return String(key)
  throw new TypeError(`a key that is a ${typeof key} has no canonical form`)
}
