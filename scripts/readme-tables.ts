import { createMetrics } from '../src/admin/metrics.ts'
import { createTally } from '../src/admin/tally.ts'
import { errorCatalogue } from '../src/errors.ts'
import type { Key, ObjectShape, Shape } from '../src/documents/shape.ts'
import { inboundStages } from '../src/policy/evaluate-inbound.ts'
import { outboundStages } from '../src/policy/evaluate-outbound.ts'
import type { Stage } from '../src/policy/stage.ts'
import { closeReasons, decisionReasons, failureReasons } from '../src/reasons.ts'
import { settingsShape } from '../src/settings/schema.ts'
import { KiB, MiB, hours, minutes, seconds } from '../src/units.ts'
import { messageOf, statusOf } from '../src/wire/refusal.ts'

/**
 * The README's tables, made from what the program itself decides, reads and answers by. Each stands between
 * `<!-- generated: NAME -->` and `<!-- end -->`.
 */
export const tables: Readonly<Record<string, () => string>> = {
  settings: settingsTable,
  inbound: () => stageTable(inboundStages),
  outbound: () => stageTable(outboundStages),
  reasons: reasonsTable,
  metrics: metricsTable,
  closing: () => list(closeReasons),
  errors: () =>
    table(
      ['code', 'meaning'],
      Object.entries(errorCatalogue).map(([name, meaning]) => [code(name), meaning]),
    ),
}

const marker = /(<!-- generated: ([a-z]+) -->\n)[\s\S]*?(<!-- end -->)/g

/** What a process that has done nothing says of itself: names and meanings are all there. */
const exposition = await createMetrics(
  () => createTally().counts,
  () => ({
    instance: '',
    policyVersion: undefined,
    loadedAt: undefined,
    startedAt: 0,
    started: false,
    draining: false,
    reloads: 0,
    reloadFailures: 0,
    lastReloadFailed: false,
    lastProblems: [],
    needsRestart: [],
    faults: 0,
    open: 0,
    workers: { wanted: 1, serving: 1, replaced: 0 },
    warnings: [],
    accessLog: { state: 'written', accepted: 0, lost: 0 },
  }),
)()

/** The text with every table made anew; a marker that names no table throws. */
export function fillTables(text: string): string {
  return text.replace(marker, (_, start: string, name: string, end: string) => {
    const make = tables[name]
    if (make === undefined) throw new Error(`there is no table \`${name}\``)
    return `${start}\n${make()}\n\n${end}`
  })
}

function stageTable(stages: readonly Stage<string, never>[]): string {
  return table(
    ['#', 'when', 'reason', 'effect', 'category'],
    stages.map(({ row, when, reason, effect, category }) => [
      row,
      when,
      code(reason),
      effect,
      code(category),
    ]),
  )
}

/** Only reasons that can refuse have a status of their own; the others are why something was allowed. */
function reasonsTable(): string {
  const refusing = new Set<string>(
    [...inboundStages, ...outboundStages]
      .filter(({ effect }) => effect === 'deny')
      .map(({ reason }) => reason),
  )
  const inStages = new Set<string>(
    [...inboundStages, ...outboundStages].map(({ reason }) => reason),
  )
  return table(
    ['reason', 'status', 'what the client reads'],
    [...decisionReasons, ...failureReasons]
      .filter((reason) => refusing.has(reason) || !inStages.has(reason))
      .map((reason) => [code(reason), String(statusOf(reason)), messageOf(reason)]),
  )
}

function metricsTable(): string {
  const helps = [...exposition.matchAll(/^# HELP (ringfence_\w+) (.*)$/gm)]
  return table(
    ['metric', 'meaning'],
    helps.map(([, name = '', help = '']) => [code(name), help]),
  )
}

function settingsTable(): string {
  return table(['key', 'value', 'default', 'meaning'], [...settingsRows(settingsShape, '')])
}

/** Groups have no row of their own: what is in them does. */
function* settingsRows(shape: ObjectShape, prefix: string): Iterable<string[]> {
  for (const [name, key] of Object.entries(shape.keys)) {
    const path = `${prefix}${name}`
    const inner = innerObject(key.shape)
    const isGroup = inner !== undefined && key.shape.kind === 'object'
    if (!isGroup)
      yield [code(path), describeShape(key.shape), describeDefault(key), key.description]
    if (inner !== undefined) yield* settingsRows(inner, `${path}${isGroup ? '.' : '[].'}`)
  }
}

function innerObject(shape: Shape): ObjectShape | undefined {
  if (shape.kind === 'object') return shape
  return shape.kind === 'list' ? innerObject(shape.items) : undefined
}

function describeShape(shape: Shape): string {
  switch (shape.kind) {
    case 'text':
      return 'text'
    case 'integer':
      return `${shape.unit ?? 'number'}${shape.word === undefined ? '' : `, ${code(shape.word)}`}`
    case 'choice':
      return shape.values.map(code).join(', ')
    case 'list':
      return shape.items.kind === 'object' ? 'list' : `list of ${describeShape(shape.items)}`
    case 'map':
      return `map: ${shape.keys} → ${describeShape(shape.values)}`
    case 'object':
      return 'object'
  }
}

function describeDefault({ presence, shape, default: value }: Key): string {
  if (presence === 'required') return 'required'
  if (presence === 'optional') return ''
  if (shape.kind === 'integer') return describeNumber(Number(value), shape.unit)
  return code(typeof value === 'string' ? value : JSON.stringify(value))
}

function describeNumber(value: number, unit: string | undefined): string {
  const units: readonly (readonly [size: number, name: string])[] =
    unit === 'bytes'
      ? [
          [MiB, 'MiB'],
          [KiB, 'KiB'],
        ]
      : unit === 'milliseconds'
        ? [
            [hours(1), 'h'],
            [minutes(1), 'min'],
            [seconds(1), 's'],
          ]
        : []
  const fitting = units.find(([size]) => value >= size && value % size === 0)
  if (fitting === undefined) return code(String(value))
  return `${code(String(value))} (${value / fitting[0]} ${fitting[1]})`
}

function list(words: readonly string[]): string {
  return words.map(code).join(', ')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n')
}

function code(text: string): string {
  return `\`${text}\``
}
