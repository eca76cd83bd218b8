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
    writer.write(`b${value.length}:`)
    for (const byte of value) writer.write(hexOfByte[byte] ?? '')
  } else if (value instanceof Map) {
    writeMap(writer, value)
  } else if (value instanceof Set) {
    writer.write('e')
    writeMap(writer, new Map([...value].map((member) => [member, true])))
  } else {
    writeRecord(writer, value)
  }
}

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

function writeRecord(writer: HashWriter, record: object): void {
  writer.write('o')
  const values: Readonly<Record<string, unknown>> = { ...record }
  for (const key of Object.keys(values).toSorted()) {
    const value = values[key]
    if (value === undefined) continue
    writer.write(`${key.length}:${key}`)
    writeValue(writer, value)
  }
  writer.write(';')
}

function writeMap(writer: HashWriter, map: ReadonlyMap<unknown, unknown>): void {
  const entries = [...map].map(([key, value]) => [toText(key), value] as const)
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  writer.write(`m${entries.length}:`)
  for (const [key, value] of entries) {
    writeValue(writer, key)
    writeValue(writer, value)
  }
}

function toText(key: unknown): string {
  if (typeof key === 'string' || typeof key === 'number') return `${typeof key}:${key}`
  throw new TypeError(`a key that is a ${typeof key} has no canonical form`)
}
