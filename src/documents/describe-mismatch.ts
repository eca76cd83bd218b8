import type { ErrorObject } from 'ajv'
import { quote } from '../perimeter/quote.ts'
import { closestWord } from './closest-word.ts'
import { pointerPath } from './pointer-path.ts'
import type { At, Path } from './problem.ts'
import { type IntegerShape, type Shape, shapeAt } from './shape.ts'

/** A mismatch in the words of somebody who writes the document. */
export interface Mismatch {
  readonly path: Path
  readonly at: At
  readonly message: string
  /** A key that is not known, and close to one that is: it was meant, and must not fall to a default. */
  readonly isNearMiss?: boolean
}

/** Says what is wrong and what to do, for each keyword that `toJsonSchema` uses. */
export function describeMismatch(root: Shape, error: ErrorObject): Mismatch {
  const path = pointerPath(error.instancePath)
  const shape = shapeAt(root, path)
  const subject = describeSubject(root, path)
  const value = (message: string): Mismatch => ({ path, at: 'value', message })
  const actual = describeData(error.data)

  switch (error.keyword) {
    case 'required': {
      const name = textParam(error, 'missingProperty')
      const where = path.length === 0 ? '' : ` in ${subject}`
      return value(`the key ${quote(name)} is missing${where}`)
    }
    case 'additionalProperties': {
      const name = textParam(error, 'additionalProperty')
      const known = shape?.kind === 'object' ? Object.keys(shape.keys) : []
      const close = closestWord(name, known)
      const hints = shape?.kind === 'object' ? shape.hints : {}
      const hint = Object.hasOwn(hints, name) ? hints[name] : undefined
      const meant = close === undefined ? '' : `; did you mean ${quote(close)}`
      const advice = hint === undefined ? meant : `; ${hint}`
      const message = `unknown key ${quote(name)}${advice}`
      return { path: [...path, name], at: 'key', message, isNearMiss: close !== undefined }
    }
    case 'type':
      if (shape?.kind === 'choice') return value(describeChoice(subject, shape, error.data))
      return value(
        `${subject} must be ${describeShape(shape)}, not ${actual}${typeAdvice(shape, error.data)}`,
      )
    case 'enum':
      return value(describeChoice(subject, shape, error.data))
    case 'minLength':
      return value(`${subject} must not be empty`)
    case 'maxLength':
      return value(`${subject} is longer than ${String(error.schema)} characters`)
    case 'minItems':
      return value(`${subject} must not be empty`)
    case 'pattern': {
      const says = shape?.kind === 'text' ? shape.says : describeShape(shape)
      return value(
        `${subject} must be ${says ?? 'of another form'}, not ${actual}${typeAdvice(shape, error.data)}`,
      )
    }
    case 'minimum':
      return value(
        `${subject} must be at least ${String(error.schema)}${unitOf(shape)}, not ${actual}`,
      )
    case 'maximum':
      return value(
        `${subject} must be at most ${String(error.schema)}${unitOf(shape)}, not ${actual}`,
      )
    default:
      return value(`${subject} is not valid`)
  }
}

function describeChoice(subject: string, shape: Shape | undefined, data: unknown): string {
  const choice = shape?.kind === 'choice' ? shape : { values: [], hints: {} }
  const hints: Readonly<Record<string, string>> = choice.hints ?? {}
  const hint = typeof data === 'string' && Object.hasOwn(hints, data) ? hints[data] : undefined
  const close = typeof data === 'string' ? closestWord(data, choice.values) : undefined
  const advice = hint ?? (close === undefined ? undefined : `did you mean ${quote(close)}`)
  const known =
    choice.values.length > maxListedWords
      ? `${choice.values.length} known words, such as ${quote(choice.values[0] ?? '')}`
      : choice.values.map((word) => quote(word)).join(', ')
  return `${subject} must be one of ${known}, not ${describeData(data)}${advice === undefined ? '' : `; ${advice}`}`
}

/** More would hide the rest of the sentence. */
const maxListedWords = 6

/** The key that a reader looks for: `port`, an item of `hosts`. */
function describeSubject(root: Shape, path: Path): string {
  const last = path.at(-1)
  if (last === undefined) return 'the document'
  const parent = shapeAt(root, path.slice(0, -1))
  if (parent?.kind !== 'list') return quote(String(last))
  const owner = path.at(-2)
  return owner === undefined ? 'an item' : `an item of ${quote(String(owner))}`
}

function describeShape(shape: Shape | undefined): string {
  switch (shape?.kind) {
    case 'integer':
      return `a whole number${shape.unit === undefined ? '' : ` of ${shape.unit}`}${orWord(shape)}`
    case 'list':
      return 'a list'
    case 'map':
    case 'object':
      return 'a mapping of keys to values'
    case 'choice':
    case 'text':
      return 'text'
    case undefined:
      return 'something else'
  }
}

function describeData(data: unknown): string {
  if (data === null || data === undefined) return 'nothing'
  if (Array.isArray(data)) return 'a list'
  if (typeof data === 'object') return 'a mapping'
  if (typeof data === 'string') return data === '' ? 'empty text' : quote(data)
  return typeof data === 'number' || typeof data === 'boolean'
    ? quote(String(data))
    : 'something else'
}

function typeAdvice(shape: Shape | undefined, data: unknown): string {
  const wantsText = shape?.kind === 'text' || shape?.kind === 'choice'
  const isBare = typeof data === 'number' || typeof data === 'boolean'
  if (wantsText && isBare) return '; write it in quotes'
  const isNumeral = typeof data === 'string' && /^-?[0-9]+$/.test(data)
  if (shape?.kind === 'integer' && isNumeral) return '; write it without quotes'
  if (shape?.kind === 'list' && typeof data === 'string') return '; write it in brackets'
  return ''
}

function orWord({ word }: IntegerShape): string {
  return word === undefined ? '' : ` or ${quote(word)}`
}

function unitOf(shape: Shape | undefined): string {
  return shape?.kind === 'integer' && shape.unit !== undefined ? ` (${shape.unit})` : ''
}

function textParam(error: ErrorObject, name: string): string {
  const value: unknown = error.params[name]
  return typeof value === 'string' ? value : ''
}
