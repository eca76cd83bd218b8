import type { At, Path } from './problem.ts'

/** Offset of a path in the text; of one that is absent, that of the nearest part that is there. */
export type OffsetOf = (path: Path, at: At) => number

interface Item {
  /** Where the key or, in a list, the value begins. */
  readonly start: number
  /** Where the value begins. */
  readonly value: number
  readonly key: string | number
}

/** Finds places in a text that is known to be valid JSON, without building anything. */
export function createJsonPlaces(text: string): OffsetOf {
  /** Per list, by its start: how far it was read last. Problems come in order, so a list is read once. */
  const resume = new Map<number, Item>()

  return (path, at) => {
    let value = skipSpace(text, 0)
    let place = value
    for (const [depth, part] of path.entries()) {
      const item = find(text, value, { part, resume })
      if (item === undefined) return place
      value = item.value
      place = at === 'key' && depth === path.length - 1 ? item.start : item.value
    }
    return place
  }
}

function find(
  text: string,
  container: number,
  options: { readonly part: string | number; readonly resume: Map<number, Item> },
): Item | undefined {
  const { part, resume } = options
  const isList = text[container] === '['
  if (!isList && text[container] !== '{') return undefined
  const known = isList ? resume.get(container) : undefined
  let item =
    known !== undefined && Number(known.key) <= Number(part)
      ? known
      : itemAt(text, skipSpace(text, container + 1), isList ? 0 : undefined)
  while (item !== undefined) {
    if (isList) resume.set(container, item)
    if (String(item.key) === String(part)) return item
    const end = skipSpace(text, skipValue(text, item.value))
    if (text[end] !== ',') return undefined
    const nextIndex = typeof item.key === 'number' ? item.key + 1 : undefined
    item = itemAt(text, skipSpace(text, end + 1), nextIndex)
  }
  return undefined
}

function itemAt(text: string, start: number, index: number | undefined): Item | undefined {
  if (text[start] === ']' || text[start] === '}') return undefined
  if (index !== undefined) return { start, value: start, key: index }
  const end = skipValue(text, start)
  const key: unknown = JSON.parse(text.slice(start, end))
  const value = skipSpace(text, skipSpace(text, end) + 1)
  return { start, value, key: String(key) }
}

/** The end of the value that begins here. */
function skipValue(text: string, start: number): number {
  let depth = 0
  let index = start
  do {
    const character = text[index]
    if (character === undefined) return index
    if (character === '"') index = skipString(text, index)
    else {
      if (character === '[' || character === '{') depth++
      else if (character === ']' || character === '}') depth--
      index++
    }
  } while (
    depth > 0 ||
    (text[start] !== '"' && !isBracket(text[start]) && isInLiteral(text[index]))
  )
  return index
}

function skipString(text: string, start: number): number {
  let index = start + 1
  while (index < text.length && text[index] !== '"') index += text[index] === '\\' ? 2 : 1
  return index + 1
}

function isBracket(character: string | undefined): boolean {
  return character === '[' || character === '{'
}

/** Numbers, `true`, `false`, `null`. */
function isInLiteral(character: string | undefined): boolean {
  return character !== undefined && /[\w.+-]/.test(character)
}

function skipSpace(text: string, start: number): number {
  let index = start
  while (/\s/.test(text[index] ?? 'x')) index++
  return index
}
