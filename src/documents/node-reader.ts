import { isAlias, isMap, isPair, isScalar, isSeq, type ParsedNode } from 'yaml'
import { quote } from '../perimeter/quote.ts'
import type { At, Path } from './problem.ts'

/** Plain data of parsed nodes, and where each part of it stands in the text. */
export interface NodeReader {
  /** Objects without a prototype, arrays, strings, numbers, booleans, null; undefined where it cannot be used at all. */
  readonly data: unknown
  readonly faults: readonly NodeFault[]
  /** Offset of a path in the text; of one that is absent, that of the nearest part that is there. */
  offsetOf(path: Path, at?: At): number
}

export interface NodeFault {
  readonly offset: number
  readonly message: string
}

/** Nothing that is declared here nests deeper than ten. */
const maxDepth = 64

/** What aliases may add in all: without a bound, nine lines of them expand to gigabytes. */
const maxAliasedParts = 100_000

/** Thrown and caught in this file only: the data cannot be used. */
class UnusableData extends Error {}

export function createNodeReader(root: ParsedNode): NodeReader {
  const faults: NodeFault[] = []
  const anchors = new Map<string, object>()
  const targets = new WeakMap<object, object>()
  const open = new Set<unknown>()
  let aliasedParts = 0
  let aliasDepth = 0
  let depth = 0

  const fault = (node: unknown, message: string) => {
    faults.push({ offset: offsetIn(node) ?? 0, message })
  }
  const unusable = (node: unknown, message: string): never => {
    fault(node, message)
    throw new UnusableData(message)
  }

  const read = (node: unknown): unknown => {
    if (aliasDepth > 0 && ++aliasedParts > maxAliasedParts) {
      unusable(node, 'aliases expand to too much')
    }
    if (isAlias(node)) return readAlias(node)
    if (!isScalar(node) && !isMap(node) && !isSeq(node)) return null
    if (node.tag !== undefined) fault(node, 'tags are not supported here')
    if (node.anchor !== undefined) anchors.set(node.anchor, node)
    if (isScalar(node)) return node.value ?? null
    if (++depth > maxDepth) unusable(node, 'the document is nested too deeply')
    open.add(node)
    const value = isSeq(node) ? node.items.map(read) : readMap(node.items)
    open.delete(node)
    depth--
    return value
  }

  const readAlias = (alias: { readonly source: string }): unknown => {
    const target = anchors.get(alias.source)
    if (target === undefined) {
      return unusable(alias, `no anchor ${quote(alias.source)} stands before this alias`)
    }
    if (open.has(target)) unusable(alias, `the alias ${quote(alias.source)} contains itself`)
    targets.set(alias, target)
    aliasDepth++
    const value = read(target)
    aliasDepth--
    return value
  }

  const readMap = (items: readonly unknown[]): Record<string, unknown> => {
    // Without a prototype, `__proto__` is a key like any other.
    const data: Record<string, unknown> = { __proto__: null }
    for (const pair of items) {
      if (!isPair(pair)) continue
      const key = keyText(pair.key)
      if (key === undefined) fault(pair.key, 'a key must be plain text')
      else if (key in data) fault(pair.key, `the key ${quote(key)} occurs twice`)
      else data[key] = read(pair.value)
    }
    return data
  }

  return {
    data: readWhole(() => read(root)),
    faults,
    offsetOf: (path, at = 'value') => offsetOf(root, path, { at, targets }),
  }
}

function readWhole(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    if (error instanceof UnusableData) return undefined
    throw error
  }
}

/** A key as written: `80` and `true` are texts where a key stands. */
function keyText(node: unknown): string | undefined {
  if (!isScalar(node)) return undefined
  return typeof node.value === 'string' ? node.value : (node.source ?? '')
}

function offsetOf(
  root: unknown,
  path: Path,
  options: { readonly at: At; readonly targets: WeakMap<object, object> },
): number {
  let node = root
  let offset = offsetIn(root) ?? 0
  for (const [index, part] of path.entries()) {
    if (isAlias(node)) node = options.targets.get(node)
    const child = childOf(node, part)
    if (child === undefined) return offset
    node = child.value
    const wantsKey = options.at === 'key' && index === path.length - 1
    offset =
      (wantsKey ? offsetIn(child.key) : offsetIn(child.value)) ?? offsetIn(child.key) ?? offset
  }
  return offset
}

function childOf(
  node: unknown,
  part: string | number,
): { key: unknown; value: unknown } | undefined {
  if (isSeq(node)) {
    const value = node.items[Number(part)]
    return value === undefined ? undefined : { key: value, value }
  }
  if (!isMap(node)) return undefined
  const pair = node.items.find((item) => keyText(item.key) === String(part))
  return pair === undefined ? undefined : { key: pair.key, value: pair.value }
}

function offsetIn(node: unknown): number | undefined {
  return isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : undefined
}
