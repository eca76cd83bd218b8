import { LineCounter } from 'yaml'
import { createJsonPlaces } from './json-places.ts'
import type { Locate } from './problem.ts'

/** Nothing that is declared here nests deeper than ten. */
const maxDepth = 64

export interface JsonDocument {
  readonly data: unknown
  readonly locate: Locate
}

/**
 * The fast way for what is plainly JSON: a hundred thousand prefixes take the YAML parser 0.8 s and 220 MB, and this
 * 30 ms. Undefined for everything else, a key that occurs twice included: the YAML parser then says what and where.
 */
export function parseJsonDocument(file: string, text: string): JsonDocument | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined
  const data = parse(text)
  // `JSON.parse` lets the last of two equal keys win in silence. Then the text has more keys than the data.
  if (data === undefined || countKeys(data, 0) !== countKeysInText(text)) return undefined
  let offsetOf: ReturnType<typeof createJsonPlaces> | undefined
  let lines: LineCounter | undefined
  return {
    data,
    locate: (path, at = 'value') => {
      offsetOf ??= createJsonPlaces(text)
      lines ??= countLines(text)
      const { line, col } = lines.linePos(offsetOf(path, at))
      return { file, line, column: col }
    },
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Keys of all objects in the data; minus infinity where it nests too deeply. */
function countKeys(data: unknown, depth: number): number {
  if (typeof data !== 'object' || data === null) return 0
  if (depth > maxDepth) return -Infinity
  if (Array.isArray(data)) {
    return data.reduce((sum: number, item) => sum + countKeys(item, depth + 1), 0)
  }
  const values: readonly unknown[] = Object.values(data)
  return values.reduce((sum: number, item) => sum + countKeys(item, depth + 1), values.length)
}

/** Colons outside strings, of valid JSON. */
function countKeysInText(text: string): number {
  let keys = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (inString) {
      if (unit === backslash) index++
      else if (unit === quotationMark) inString = false
    } else if (unit === quotationMark) inString = true
    else if (unit === colon) keys++
  }
  return keys
}

const quotationMark = 0x22
const colon = 0x3a
const backslash = 0x5c

function countLines(text: string): LineCounter {
  const lines = new LineCounter()
  lines.addNewLine(0)
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) {
    lines.addNewLine(at + 1)
  }
  return lines
}
