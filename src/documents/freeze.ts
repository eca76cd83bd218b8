/**
 * Freezes a value and everything in it, in place. Maps lose their mutators; byte arrays cannot be frozen and are
 * left, which is why their types promise never to be mutated.
 */
export function deepFreeze<T>(value: T): T {
  freeze(value)
  return value
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  if (ArrayBuffer.isView(value) || Object.isFrozen(value)) return
  if (value instanceof Map) {
    for (const item of value.values()) freeze(item)
    for (const mutator of ['set', 'delete', 'clear']) {
      Object.defineProperty(value, mutator, { value: refuse })
    }
  }
  Object.freeze(value)
  for (const item of Object.values(value)) freeze(item)
}

function refuse(): never {
  throw new TypeError('this map is frozen')
}
