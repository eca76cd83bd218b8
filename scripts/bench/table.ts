import { type Bar, standingOf } from './bars.ts'
import type { Figure } from './figure.ts'

/** The figures of one scenario as lines of a table, each peer beside what Ringfence costs as a multiple of it. */

const heads = [
  'candidate',
  'cost',
  '±',
  'per s',
  'p50 ms',
  'p99 ms',
  'RSS MiB',
  'ringfence is',
  'bar',
  '',
] as const

/** @param judge whether the figures are good enough to be held against bars. */
export function formatTable(
  figures: readonly Figure[],
  { judge }: { readonly judge: boolean },
): readonly string[] {
  const rows = figures.map((figure) => {
    const { ratio, bar, holds } = judge ? standingOf(figure, figures) : unjudged
    return [
      figure.candidate + (figure.disturbed > 0 ? ` (${figure.disturbed} disturbed)` : ''),
      `${digits(figure.cost)} ${figure.unit}`,
      figure.runs > 1 ? `${(figure.spread * 50).toFixed(0)} %` : '',
      digits(figure.perSecond),
      digits(figure.p50Ms),
      digits(figure.p99Ms),
      digits(figure.residentMiB),
      ratio === undefined ? '' : `${ratio.toFixed(2)} ×`,
      bar === undefined ? '' : formatBar(bar, figure),
      holds === undefined ? '' : holds ? 'holds' : 'MISSES',
    ]
  })
  const table = [[...heads], ...rows]
  const widths = heads.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  return table.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
}

const unjudged = { ratio: undefined, bar: undefined, holds: undefined }

function formatBar(bar: Bar, { unit }: Figure): string {
  return bar.kind === 'ratio' ? `≤ ${bar.atMost} ×` : `≤ ${bar.atMost} ${unit}`
}

/** Three digits that mean something; nothing for what was not measured. */
export function digits(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return ''
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)))
}
