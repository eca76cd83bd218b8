import type { Shape } from './shape.ts'

/** Sets the declared defaults in a value of the shape, which is the caller's own copy. */
export function fillDefaults(shape: Shape, value: unknown): void {
  if (shape.kind === 'list' && Array.isArray(value)) {
    // Lists of scalars can be very long and hold nothing to fill.
    if (!isContainer(shape.items)) return
    for (const item of value) fillDefaults(shape.items, item)
  } else if (shape.kind === 'map' && isRecord(value)) {
    for (const item of Object.values(value)) fillDefaults(shape.values, item)
  } else if (shape.kind === 'object' && isRecord(value)) {
    for (const [name, key] of Object.entries(shape.keys)) {
      if (value[name] === undefined && key.default !== undefined) {
        value[name] = structuredClone(key.default)
      }
      if (value[name] !== undefined) fillDefaults(key.shape, value[name])
    }
  }
}

function isContainer(shape: Shape): boolean {
  return shape.kind === 'list' || shape.kind === 'map' || shape.kind === 'object'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
