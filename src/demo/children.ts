import { fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { seconds } from '../units.ts'
import type { Listening, Received } from './back-end.ts'
import type { Certificate } from './certificate.ts'

/** The processes that the demo starts, and the one place that ends them. */

export interface BackEnd extends Listening {
  readonly name: string
  /** Asks the process how many requests have reached it. */
  received(): Promise<number>
}

const startTimeoutMs = seconds(10)
const stopTimeoutMs = seconds(3)

/** In `src/` the files are TypeScript, in `dist/` JavaScript: children are started from what runs now. */
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'

/** Everything that was started. `close` ends it all; so does the end of this process, whatever its cause. */
export class Children {
  readonly #processes = new Set<ChildProcess>()
  #isClosed = false
  readonly #killAll = (): void => {
    for (const child of this.#processes) child.kill('SIGKILL')
  }

  constructor() {
    process.once('exit', this.#killAll)
  }

  /** Starts a mock service and waits until it listens; with a certificate also over TLS. */
  async startBackEnd(name: string, certificate?: Certificate): Promise<BackEnd> {
    const files =
      certificate === undefined ? [] : [certificate.certificateFile, certificate.keyFile]
    const child = fork(pathOf('./back-end'), [name, ...files], { execArgv: [] })
    this.#keep(child)
    const { port, tlsPort } = await nextMessage<Listening>(child, name)
    return {
      name,
      port,
      tlsPort,
      async received() {
        const answer = nextMessage<Received>(child, name)
        child.send('count')
        const { requests } = await answer
        return requests
      },
    }
  }

  /** Starts `ringfence run`; its operational log goes to `onLine`, line by line. */
  startRingfence(options: {
    readonly settingsFile: string
    readonly onLine: (line: string) => void
  }): ChildProcess {
    const { settingsFile, onLine } = options
    const child = spawn(process.execPath, [pathOf('../main'), 'run', '--config', settingsFile], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#keep(child)
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', onLine)
    }
    return child
  }

  /** Ends all in order: first asks, then does not ask. */
  async close(): Promise<void> {
    this.#isClosed = true
    const ends = [...this.#processes].map((child) => {
      const end = once(child, 'exit')
      child.kill('SIGTERM')
      return end
    })
    const late = new AbortController()
    const timeout = delay(stopTimeoutMs, undefined, { signal: late.signal }).catch(() => undefined)
    await Promise.race([Promise.all(ends), timeout])
    late.abort()
    this.#killAll()
    process.off('exit', this.#killAll)
  }

  #keep(child: ChildProcess): void {
    // Somebody was still starting things when everything ended: nothing would end this one any more.
    if (this.#isClosed) child.kill('SIGKILL')
    this.#processes.add(child)
    child.once('exit', () => this.#processes.delete(child))
    child.once('error', () => this.#processes.delete(child))
  }
}

function pathOf(module: string): string {
  return fileURLToPath(new URL(`${module}${extension}`, import.meta.url))
}

async function nextMessage<Message>(child: ChildProcess, name: string): Promise<Message> {
  const late = AbortSignal.timeout(startTimeoutMs)
  const gone = once(child, 'exit', { signal: late }).then(() => {
    throw new Error(`the mock service \`${name}\` ended before it answered`)
  })
  const [message] = await Promise.race([once(child, 'message', { signal: late }), gone])
  return message
}
