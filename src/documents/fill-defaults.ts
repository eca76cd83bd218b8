import type { Path } from './problem.ts'
import { type Shape, shapeAt } from './shape.ts'

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

/** Sets a required key that is not there to something that the shape admits. */
export function fillPlaceholder(root: Shape, value: unknown, path: Path): void {
  const shape = shapeAt(root, path)
  const key = path.at(-1)
  let owner = value
  for (const part of path.slice(0, -1)) {
    owner = Array.isArray(owner) ? owner[Number(part)] : isRecord(owner) ? owner[part] : undefined
  }
  if (isRecord(owner) && key !== undefined && shape !== undefined) owner[key] = placeholder(shape)
}

function placeholder(shape: Shape): unknown {
  switch (shape.kind) {
    case 'text':
      return 'unreadable'.slice(0, shape.maxLength)
    case 'integer':
      return shape.minimum
    case 'choice':
      return shape.values[0]
    case 'list':
      return Array.from({ length: shape.minItems ?? 0 }, () => placeholder(shape.items))
    case 'map':
      return {}
    case 'object': {
      const required = Object.entries(shape.keys).filter(([, key]) => key.presence === 'required')
      return Object.fromEntries(required.map(([name, key]) => [name, placeholder(key.shape)]))
    }
  }
}

function isContainer(shape: Shape): boolean {
  return shape.kind === 'list' || shape.kind === 'map' || shape.kind === 'object'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
