import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'

/** Texts of a template (ARM template syntax: `[…]` is an expression, `[[…` a text that begins with a bracket). */
export interface TemplateText {
  /** The text that is meant; undefined for an expression, which is reported. */
  resolve(text: string, path: Path): string | undefined
  /** A copy with every text resolved; expressions stay as they are, and are reported. */
  resolveAll(value: unknown, path: Path): unknown
}

export function createTemplateText(findings: Findings): TemplateText {
  const resolve = (text: string, path: Path): string | undefined => {
    if (text.startsWith('[[')) return text.slice(1)
    if (!text.startsWith('[') || !text.endsWith(']')) return text
    findings.error(
      path,
      `the template expression ${quote(text)} cannot be evaluated here; write its value, or use what the REST API returns`,
    )
    return undefined
  }
  const resolveAll = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') return resolve(value, path) ?? value
    if (Array.isArray(value)) {
      return value.map((item: unknown, index) => resolveAll(item, [...path, index]))
    }
    if (typeof value !== 'object' || value === null) return value
    const copy: Record<string, unknown> = { __proto__: null }
    for (const [key, item] of Object.entries(value)) copy[key] = resolveAll(item, [...path, key])
    return copy
  }
  return { resolve, resolveAll }
}
