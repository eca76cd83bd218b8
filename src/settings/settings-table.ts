import type { Key, ObjectShape, Shape } from '../documents/shape.ts'
import { settingsShape } from './schema.ts'

/** The table of all settings in Markdown, for the README. One row for each key that holds a value. */
export function settingsTable(): string {
  const rows = rowsOf(settingsShape, '')
  return ['| setting | type | default | meaning |', '|---|---|---|---|', ...rows, ''].join('\n')
}

function rowsOf(shape: ObjectShape, prefix: string): readonly string[] {
  return Object.entries(shape.keys).flatMap(([name, key]) => {
    if (name.startsWith('$')) return []
    const path = `${prefix}${name}`
    const inner = innerOf(key.shape)
    if (inner === undefined) return [row(path, key)]
    const suffix = key.shape.kind === 'list' ? '[]' : ''
    const own = key.shape.kind === 'list' || key.presence !== 'defaulted' ? [row(path, key)] : []
    return [...own, ...rowsOf(inner, `${path}${suffix}.`)]
  })
}

function row(path: string, key: Key): string {
  const cells = [`\`${path}\``, typeOf(key.shape), defaultOf(key), key.description]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function innerOf(shape: Shape): ObjectShape | undefined {
  if (shape.kind === 'object') return shape
  return shape.kind === 'list' && shape.items.kind === 'object' ? shape.items : undefined
}

function typeOf(shape: Shape): string {
  switch (shape.kind) {
    case 'text':
      return 'text'
    case 'integer':
      return shape.unit ?? 'number'
    case 'choice':
      return shape.values.map((value) => `\`${value}\``).join(', ')
    case 'list':
      return shape.items.kind === 'object' ? 'list' : `list of ${typeOf(shape.items)}`
    case 'map':
      return `mapping of ${shape.keys} to ${typeOf(shape.values)}`
    case 'object':
      return 'mapping'
  }
}

function defaultOf(key: Key): string {
  if (key.presence === 'required') return 'required'
  if (key.presence === 'optional') return ''
  const text = JSON.stringify(key.default)
  return `\`${typeof key.default === 'string' ? key.default : text}\``
}
