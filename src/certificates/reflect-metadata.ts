/** What the library that writes certificates wants to find in `Reflect`: a place to note things about classes. */

type Key = string | symbol

const notes = new WeakMap<object, Map<Key, unknown>>()

/** Adds the three functions (TC39's abandoned metadata proposal) where nobody else has. */
export function addReflectMetadata(): void {
  if ('getMetadata' in Reflect) return
  Object.assign(Reflect, { defineMetadata, getMetadata, getOwnMetadata })
}

function defineMetadata(key: Key, value: unknown, target: object): void {
  const own = notes.get(target) ?? new Map<Key, unknown>()
  own.set(key, value)
  notes.set(target, own)
}

function getOwnMetadata(key: Key, target: object): unknown {
  return notes.get(target)?.get(key)
}

function getMetadata(key: Key, target: object | null): unknown {
  if (target === null) return undefined
  return getOwnMetadata(key, target) ?? getMetadata(key, Object.getPrototypeOf(target))
}
