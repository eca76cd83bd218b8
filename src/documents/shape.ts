import type { Path } from './problem.ts'

/**
 * The shape of a document, declared once: from it come the TypeScript type, the validation, the defaults, the published
 * JSON Schema and the table in the README.
 */
export type Shape = TextShape | IntegerShape | ChoiceShape | ListShape | MapShape | ObjectShape

export interface TextShape {
  readonly kind: 'text'
  readonly pattern?: string
  /** What the pattern means, as the end of `… must be`. */
  readonly says?: string
  readonly maxLength?: number
}

export interface IntegerShape<W extends string = string> {
  readonly kind: 'integer'
  /** What may be written instead of a number. */
  readonly word?: W
  readonly minimum: number
  readonly maximum: number
  /** `milliseconds`, `bytes`. */
  readonly unit?: string
}

export interface ChoiceShape<V extends string = string> {
  readonly kind: 'choice'
  readonly values: readonly V[]
  /** Spellings that people try, and what they mean. */
  readonly hints?: Readonly<Record<string, string>>
}

export interface ListShape<S extends Shape = Shape> {
  readonly kind: 'list'
  readonly items: S
  readonly minItems?: number
}

export interface MapShape<S extends Shape = Shape> {
  readonly kind: 'map'
  readonly values: S
  /** What the keys are. */
  readonly keys: string
}

export interface ObjectShape<K extends Keys = Keys> {
  readonly kind: 'object'
  readonly keys: K
  /** Keys that people try and that are none, and what to do instead. */
  readonly hints: Readonly<Record<string, string>>
}

export type Keys = { readonly [name: string]: Key }

export interface Key<S extends Shape = Shape, P extends Presence = Presence> {
  readonly shape: S
  readonly presence: P
  /** Only where presence is `defaulted`. */
  readonly default?: unknown
  /** For the JSON Schema and the README: what it means, units, default where code makes it. */
  readonly description: string
}

export type Presence = 'required' | 'optional' | 'defaulted'

type Present<K extends Keys> = {
  [N in keyof K]: K[N] extends Key<Shape, 'optional'> ? never : N
}[keyof K]

/** The type of what a shape admits, defaults applied. */
export type Value<S> = S extends TextShape
  ? string
  : S extends IntegerShape<infer W>
    ? number | W
    : S extends ChoiceShape<infer V>
      ? V
      : S extends ListShape<infer I>
        ? readonly Value<I>[]
        : S extends MapShape<infer I>
          ? { readonly [key: string]: Value<I> }
          : S extends ObjectShape<infer K>
            ? { readonly [N in Present<K>]: Value<K[N]['shape']> } & {
                readonly [N in Exclude<keyof K, Present<K>>]?: Value<K[N]['shape']>
              }
            : never

export function text(options: Omit<TextShape, 'kind'> = {}): TextShape {
  return { kind: 'text', ...options }
}

export function integer(options: Omit<IntegerShape, 'kind' | 'word'>): IntegerShape<never> {
  return { kind: 'integer', ...options }
}

/** A number, or a word for one that is found out. */
export function integerOr<const W extends string>(
  word: W,
  options: Omit<IntegerShape, 'kind' | 'word'>,
): IntegerShape<W> {
  return { kind: 'integer', word, ...options }
}

export function choice<const V extends string>(
  values: readonly V[],
  hints: Readonly<Record<string, string>> = {},
): ChoiceShape<V> {
  return { kind: 'choice', values, hints }
}

export function list<S extends Shape>(
  items: S,
  options: { readonly minItems?: number } = {},
): ListShape<S> {
  return { kind: 'list', items, ...options }
}

export function map<S extends Shape>(keys: string, values: S): MapShape<S> {
  return { kind: 'map', keys, values }
}

export function object<K extends Keys>(
  keys: K,
  hints: Readonly<Record<string, string>> = {},
): ObjectShape<K> {
  return { kind: 'object', keys, hints }
}

export function required<S extends Shape>(shape: S, description: string): Key<S, 'required'> {
  return { shape, presence: 'required', description }
}

export function optional<S extends Shape>(shape: S, description: string): Key<S, 'optional'> {
  return { shape, presence: 'optional', description }
}

/** A key that is there in every validated value. The default is in the document's own form and must itself be valid. */
export function defaulted<S extends Shape>(
  shape: S,
  options: { readonly default: unknown; readonly description: string },
): Key<S, 'defaulted'> {
  return { shape, presence: 'defaulted', ...options }
}

/** The shape of what stands at a path; undefined where nothing may. */
export function shapeAt(root: Shape, path: Path): Shape | undefined {
  let shape: Shape | undefined = root
  for (const part of path) {
    if (shape?.kind === 'list') shape = shape.items
    else if (shape?.kind === 'map') shape = shape.values
    else if (shape?.kind === 'object') shape = shape.keys[String(part)]?.shape
    else return undefined
  }
  return shape
}
