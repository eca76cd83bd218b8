import { styleText } from 'node:util'
import type { Check, Result, Story } from './check.ts'

/** The table: what was tried, what was expected, what came, and the category under which it is in the access log. */

export interface Report {
  story(story: Story): void
  check(check: Check, result: Result): void
  /** A line of its own. */
  note(text: string): void
  /** The closing line; returns how many checks failed. */
  end(): number
}

export interface ReportOptions {
  readonly write: (line: string) => void
  /** Colours are for people. */
  readonly colours: boolean
}

type Style = Parameters<typeof styleText>[0]

/** The longest of each. */
const widths = { tried: 51, expected: 26, got: 26 } as const
const margin = '  '

export function createReport({ write, colours }: ReportOptions): Report {
  let passed = 0
  let failed = 0
  const paint = (style: Style, text: string): string =>
    colours ? styleText(style, text, { validateStream: false }) : text
  return {
    story({ title, about }) {
      write('')
      write(paint('bold', title))
      for (const line of wrap(about)) write(paint('dim', line))
      write(
        paint(
          'dim',
          `${margin}  ${columns('tried', { expected: 'expected', got: 'got' })}category`,
        ),
      )
    },
    check({ tried, expect }, result) {
      const { got, categories, problem } = result
      if (result.passed) passed += 1
      else failed += 1
      const mark = result.passed ? paint('green', '✓') : paint('red', '✗')
      const [first = '', ...more] = categories
      const cells = columns(tried, { expected: expect, got })
      write(`${margin}${mark} ${cells}${paint('cyan', first)}`.trimEnd())
      for (const category of more) {
        write(`${margin}  ${columns('', { expected: '', got: '' })}${paint('cyan', category)}`)
      }
      if (problem !== undefined) write(`${margin}  ${paint('red', problem)}`)
    },
    note(text) {
      write(text)
    },
    end() {
      write('')
      const line = `${passed} checks passed, ${failed} failed`
      write(paint(failed === 0 ? 'green' : 'red', line))
      return failed
    },
  }
}

function columns(tried: string, { expected, got }: { expected: string; got: string }): string {
  return (
    `${tried.padEnd(widths.tried)} ` +
    `${expected.padEnd(widths.expected)} ` +
    `${got.padEnd(widths.got)} `
  )
}

/** Breaks a text into lines of readable length. */
function wrap(text: string): string[] {
  const limit = 110
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 1 > limit) {
      lines.push(line)
      line = ''
    }
    line += line === '' ? word : ` ${word}`
  }
  return [...lines, line]
}
