import { isScalar, LineCounter, parseAllDocuments, type ParsedNode, type YAMLError } from 'yaml'
import { quote } from '../perimeter/quote.ts'
import { createFindings, type Findings } from './findings.ts'
import { parseJsonDocument } from './json-document.ts'
import { createNodeReader, type NodeFault } from './node-reader.ts'
import type { Locate, Place, Problem } from './problem.ts'

/** A document: plain data, and where each part of it stands. */
export interface ParsedDocument {
  readonly file: string
  /** Objects, arrays, strings, numbers, booleans and null; undefined where nothing could be read. */
  readonly data: unknown
  /** What is wrong with the text itself; the checks that follow add theirs. */
  readonly findings: Findings
}

/** A list of a hundred thousand spoilt lines has a hundred thousand problems; nobody reads more than these. */
const maxSyntaxProblems = 20

/** A hundred thousand prefixes fit. The YAML parser needs about 2 KiB for each part, and a sidecar has 512 MiB; JSON has no such bound. */
const maxYamlParts = 150_000

/**
 * Parses YAML 1.2 (core schema), of which JSON is a part. One document a file; no tags; aliases within bounds; a key
 * occurs once. Never throws.
 */
export function parseDocument(file: string, text: string): ParsedDocument {
  const json = parseJsonDocument(file, text)
  if (json !== undefined) {
    return { file, data: json.data, findings: createFindings(json.locate) }
  }
  const lineCounter = new LineCounter()
  const placeAt = (offset: number): Place => {
    const { line, col } = lineCounter.linePos(offset)
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const broken = (faults: readonly NodeFault[]): ParsedDocument => {
    const problems = faults.slice(0, maxSyntaxProblems).map(({ offset, message }): Problem => {
      return { severity: 'error', ...placeAt(offset), message }
    })
    const locate = () => ({ file, line: 1, column: 1 })
    return { file, data: undefined, findings: createFindings(locate, problems) }
  }

  if (countParts(text) > maxYamlParts) {
    const message = 'the document is too large for YAML; write it as valid JSON, or split it'
    return broken([{ offset: 0, message }])
  }
  const documents = parseYaml(text, lineCounter)
  if (documents === undefined) {
    return broken([{ offset: 0, message: 'the document is nested too deeply' }])
  }
  const [document, second] = documents
  const faults = documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])
  const exhausted = faults.find((fault) => fault.code === 'RESOURCE_EXHAUSTION')
  if (exhausted !== undefined) {
    return broken([{ offset: exhausted.pos[0], message: 'the document is nested too deeply' }])
  }
  if (faults.length > 0) {
    return broken(faults.map((fault) => ({ offset: fault.pos[0], message: describeFault(fault) })))
  }
  if (second !== undefined) {
    const offset = second.contents?.range?.[0] ?? second.range[0]
    return broken([{ offset, message: 'write each document into a file of its own' }])
  }
  if (document === undefined || isEmpty(document.contents)) {
    return broken([{ offset: 0, message: 'the document is empty' }])
  }
  const reader = createNodeReader(document.contents)
  if (reader.data === undefined) return broken(reader.faults)
  const locate: Locate = (path, at) => placeAt(reader.offsetOf(path, at))
  const { findings } = broken(reader.faults)
  return { file, data: reader.data, findings: createFindings(locate, findings.problems) }
}

function isEmpty(contents: ParsedNode | null): contents is null {
  return contents === null || (isScalar(contents) && contents.source === '')
}

interface YamlDocument {
  readonly contents: ParsedNode | null
  readonly range: readonly [number, number, number]
  readonly errors: readonly YAMLError[]
  readonly warnings: readonly YAMLError[]
}

function parseYaml(text: string, lineCounter: LineCounter): readonly YamlDocument[] | undefined {
  try {
    const documents = parseAllDocuments(text, {
      lineCounter,
      version: '1.2',
      schema: 'core',
      merge: false,
      resolveKnownTags: false,
      prettyErrors: false,
      logLevel: 'silent',
      // The library compares every key with every other; the reader below looks them up.
      uniqueKeys: false,
    })
    return Array.isArray(documents) ? documents : []
  } catch {
    // Only recursion without end makes the parser throw.
    return undefined
  }
}

function countParts(text: string): number {
  let parts = 0
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    // Line feed, comma, colon, brackets, braces: nothing else begins a part.
    if (unit === 10 || unit === 44 || unit === 58 || unit === 91 || unit === 123) parts++
  }
  return parts
}

function describeFault(fault: YAMLError): string {
  const message = fault.message.split('\n', 1)[0] ?? ''
  const sentence = message.charAt(0).toLowerCase() + message.slice(1).replace(/[.:]$/, '')
  if (fault.code === 'TAG_RESOLVE_FAILED') return 'tags are not supported here'
  return `not valid YAML or JSON: ${quote(sentence).slice(1, -1)}`
}
