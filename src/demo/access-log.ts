import { open, type FileHandle } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { seconds } from '../units.ts'

/** Reads what Ringfence writes into its access log, as any collector would: a file of JSON lines that grows. */

/** The fields of a line that the demo looks at. */
export interface LogLine {
  readonly category: string
  readonly reason: string
  readonly correlationId: string
  readonly enforcedEffect: string
  readonly sequence: number
  /** Only on the line that tells the end of something long. */
  readonly closeReason: string | undefined
  /** The whole line. */
  readonly text: string
}

const waitMs = seconds(3)
const pollMs = 10
const chunkBytes = 65_536

export class AccessLog {
  readonly #file: FileHandle
  readonly lines: LogLine[] = []
  #rest = ''

  private constructor(file: FileHandle) {
    this.#file = file
  }

  static async open(path: string): Promise<AccessLog> {
    return new AccessLog(await open(path, 'r'))
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  /** Reads on until what was read since line `from` satisfies `enough`, or for three seconds; returns those lines. */
  async since(from: number, enough: (lines: readonly LogLine[]) => boolean): Promise<LogLine[]> {
    const deadline = performance.now() + waitMs
    for (;;) {
      await this.#read()
      const lines = this.lines.slice(from)
      if (enough(lines) || performance.now() > deadline) return lines
      await delay(pollMs)
    }
  }

  async #read(): Promise<void> {
    const buffer = Buffer.alloc(chunkBytes)
    for (;;) {
      const { bytesRead } = await this.#file.read(buffer, 0, chunkBytes)
      if (bytesRead === 0) return
      const lines = `${this.#rest}${buffer.toString('utf8', 0, bytesRead)}`.split('\n')
      this.#rest = lines.pop() ?? ''
      for (const line of lines) this.lines.push(parseLine(line))
    }
  }
}

/** Picks the fields; what a line lacks is empty. */
export function parseLine(text: string): LogLine {
  const line = membersOf(JSON.parse(text))
  const properties = membersOf(line['properties'])
  // Fields are looked for in both places: the layout is the log's own affair.
  const textOf = (key: string): string | undefined => {
    const value = line[key] ?? properties[key]
    return typeof value === 'string' ? value : undefined
  }
  return {
    category: textOf('category') ?? '',
    reason: textOf('reason') ?? '',
    correlationId: textOf('correlationId') ?? '',
    enforcedEffect: textOf('enforcedEffect') ?? '',
    sequence: Number(line['sequence'] ?? properties['sequence'] ?? 0),
    closeReason: textOf('closeReason'),
    text,
  }
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value))
    : {}
}
