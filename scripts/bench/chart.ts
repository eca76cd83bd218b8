import { subject } from './bars.ts'
import type { Figure } from './figure.ts'
import { digits } from './table.ts'

/** The figures as a picture that stands on light and on dark pages: a group for each scenario, a bar for each candidate. */

export interface ChartText {
  readonly title: string
  /** Machine and versions. */
  readonly notes: readonly string[]
  /** What a scenario is called, by its name. */
  readonly scenarios: ReadonlyMap<string, string>
}

const width = 860
const margin = 16
const lineHeight = 20
const barLeft = 150
const barHeight = 13
/** Room for the number behind the longest bar. */
const numberWidth = 230
const groupGap = 14

const style = `text{font:13px system-ui,sans-serif;fill:#24292f}
.title{font-weight:600;font-size:15px}.head{font-weight:600}.note{font-size:11px;fill:#57606a}
.peer{fill:#8c959f}.subject{fill:#0969da}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9198a1}.peer{fill:#6e7681}.subject{fill:#4493f8}}`

/** An SVG document. Shorter is better everywhere, and it says so. */
export function drawChart(
  figures: readonly Figure[],
  { title, notes, scenarios }: ChartText,
): string {
  const parts: string[] = []
  let y = margin + lineHeight
  const line = (text: string, kind: string): void => {
    parts.push(`<text class="${kind}" x="${margin}" y="${y}">${escape(text)}</text>`)
    y += lineHeight
  }
  line(title, 'title')
  for (const note of notes) line(note, 'note')
  for (const [name, label] of scenarios) {
    const group = figures.filter(({ scenario }) => scenario === name)
    if (group.length === 0) continue
    y += groupGap
    line(label, 'head')
    // Only what has one unit has one scale.
    for (const unit of new Set(group.map((figure) => figure.unit))) {
      const bars = drawBars(
        group.filter((figure) => figure.unit === unit),
        y,
      )
      parts.push(...bars)
      y += bars.length * lineHeight
    }
  }
  const height = y + margin - lineHeight / 2
  const frame = `xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`
  return `<svg ${frame} role="img"><title>${escape(title)}</title><style>${style}</style>\n${parts.join('\n')}\n</svg>\n`
}

function drawBars(group: readonly Figure[], top: number): readonly string[] {
  const most = Math.max(...group.map(({ cost }) => cost))
  const room = width - barLeft - numberWidth - margin
  return group
    .toSorted((a, b) => a.cost - b.cost)
    .map(({ candidate, cost, unit }, index) => {
      const y = top + index * lineHeight
      const length = Math.max(1, Math.round((cost / most) * room))
      const kind = candidate === subject ? 'subject' : 'peer'
      const box = `x="${barLeft}" y="${y - barHeight + 2}" width="${length}" height="${barHeight}" rx="2"`
      const name = `<text x="${margin}" y="${y}">${escape(candidate)}</text>`
      const value = `<text x="${barLeft + length + 6}" y="${y}">${digits(cost)} ${escape(unit)}</text>`
      return `${name}<rect class="${kind}" ${box}/>${value}`
    })
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
