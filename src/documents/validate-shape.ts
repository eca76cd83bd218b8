import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { describeMismatch } from './describe-mismatch.ts'
import { fillDefaults, fillPlaceholder } from './fill-defaults.ts'
import { type Findings, maxProblems } from './findings.ts'
import { toJsonSchema } from './json-schema.ts'
import type { Path } from './problem.ts'
import { createPathSet } from './path-set.ts'
import { pointerPath } from './pointer-path.ts'
import { copyWithout, type KeptIndexes, originalPath } from './prune.ts'
import type { Shape, Value } from './shape.ts'

export interface ShapeOptions {
  /** Takes what is found. */
  readonly findings: Findings
  /** What other tools print may hold more than Ringfence knows: unknown keys warn there unless one is nearly a known one, elsewhere they are errors. */
  readonly unknownKeys: 'error' | 'warning'
}

export interface Validated<S extends Shape> {
  /**
   * Whole and with defaults, so that later checks can go on and report theirs: what did not fit was left out, and what
   * is required and not there has a placeholder.
   */
  readonly value: Value<S>
  /** Takes paths into `value`. What is said about something that has lost a part is dropped: it may be a consequence. */
  readonly findings: Findings
}

// No coercion, no removal, no defaults by the library: what is not as declared is a problem, never repaired.
const ajv = new Ajv({
  allErrors: true,
  verbose: true,
  strict: true,
  // A number or a word.
  allowUnionTypes: true,
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  messages: false,
  // The schemas come from our own shapes and are held against the meta-schema by a test. Doing it again, and shortening
  // code that runs once, was half of the first load's time (130 ms, 75 without).
  validateSchema: false,
  meta: false,
  code: { optimize: false },
})

/** One round for each level that loses its last required part, and some to spare; a shape whose placeholders do not fit ends here. */
const maxRounds = 32

const validators = new WeakMap<Shape, ValidateFunction>()

/**
 * Holds data against a shape and reports every mismatch. Undefined where nothing fits. Whether the value may be used is
 * for `findings.hasErrors` to say. Leaves the data as it is.
 */
export function validateShape<S extends Shape>(
  shape: S,
  data: unknown,
  options: ShapeOptions,
): Validated<S> | undefined {
  const { findings } = options
  const validate = validators.get(shape) ?? ajv.compile(toJsonSchema(shape))
  validators.set(shape, validate)
  const keptIndexes: KeptIndexes = new WeakMap()
  let value = copyWithout(data, [], keptIndexes)
  const lost = createPathSet()
  for (let round = 0; !validate(value); round++) {
    const mismatches = validate.errors ?? []
    // Only the first round is the user's doing: later ones follow from what was left out.
    if (round === 0) report(shape, mismatches, options)
    // So much is wrong that what is left says nothing more.
    if (mismatches.length > maxProblems) return undefined
    const spoilt = mismatches.filter(({ keyword }) => keyword !== 'required').map(spoiltPath)
    const missing = mismatches.filter(({ keyword }) => keyword === 'required').map(missingPath)
    if (round > maxRounds || spoilt.some((path) => path.length === 0)) return undefined
    for (const path of [...spoilt, ...missing]) lost.add(originalPath(value, path, keptIndexes))
    if (spoilt.length > 0) value = copyWithout(value, spoilt, keptIndexes)
    else for (const path of missing) fillPlaceholder(shape, value, path)
  }
  fillDefaults(shape, value)
  const translated = createTranslatedFindings(findings, {
    pathOf: (path) => originalPath(value, path, keptIndexes),
    hasLost: (path) => lost.hasWithin(path) || lost.covers(path),
  })
  // The validator has just said that it is of the shape that `Value` is derived from.
  return { value: value as Value<S>, findings: translated }
}

function report(shape: Shape, mismatches: readonly ErrorObject[], options: ShapeOptions): void {
  const described = new Set<string>()
  for (const mismatch of mismatches) {
    const { instancePath, keyword } = mismatch
    const isAboutKeys = keyword === 'required' || keyword === 'additionalProperties'
    // Of a value, the first mismatch says enough: empty text is also none of the words that are allowed.
    if (!isAboutKeys && described.has(instancePath)) continue
    if (!isAboutKeys) described.add(instancePath)
    const { path, at, message, isNearMiss } = describeMismatch(shape, mismatch)
    const mayPass = keyword === 'additionalProperties' && isNearMiss !== true
    if (mayPass && options.unknownKeys === 'warning') {
      options.findings.warning(path, `${message}; it takes no part in any decision`, at)
    } else {
      options.findings.error(path, message, at)
    }
  }
}

/** What to leave out so that the rest fits. */
function spoiltPath(mismatch: ErrorObject): Path {
  const path = pointerPath(mismatch.instancePath)
  const extra: unknown = mismatch.params['additionalProperty']
  return typeof extra === 'string' ? [...path, extra] : path
}

function missingPath(mismatch: ErrorObject): Path {
  const missing: unknown = mismatch.params['missingProperty']
  return [...pointerPath(mismatch.instancePath), String(missing)]
}

function createTranslatedFindings(
  findings: Findings,
  options: {
    readonly pathOf: (path: Path) => Path
    readonly hasLost: (path: Path) => boolean
  },
): Findings {
  const { pathOf, hasLost } = options
  return {
    get problems() {
      return findings.problems
    },
    get hasErrors() {
      return findings.hasErrors
    },
    locate: (path, at) => findings.locate(pathOf(path), at),
    error(path, message, at) {
      const original = pathOf(path)
      if (!hasLost(original)) findings.error(original, message, at)
    },
    warning(path, message, at) {
      const original = pathOf(path)
      if (!hasLost(original)) findings.warning(original, message, at)
    },
    foundWithin(path) {
      const original = pathOf(path)
      // What has only a placeholder was found wanting, wherever that was told.
      return hasLost(original) || findings.foundWithin(original)
    },
  }
}
