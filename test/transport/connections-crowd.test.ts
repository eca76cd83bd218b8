import { type ChildProcess, execFileSync, type Serializable, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { seconds } from '../../src/units.ts'

/** Raises the limit of open files as far as it goes. */
const raiseLimit = 'ulimit -n 32768 2>/dev/null || ulimit -n "$(ulimit -H -n)"'

const all = 10_000
/** Over sockets; where the machine allows fewer open files than all of them take, the rest stay in the process. */
const tunnels = Math.min(all, Math.floor((openFiles() - 200) / 20) * 10)

const maxStallMs = 15
const maxPassMs = seconds(2)

interface Judged {
  readonly judged: number
  readonly left: number
  readonly passMs: number
  readonly stallMs: number
  readonly ownStallMs: number
}

/** Three attempts, of which the middle one counts: a machine that others use as well may stall any one of them. */
const attempts = [
  [0, 1],
  [2, 3],
  [4, 5],
]

void t.test(`judgeAgain: ${all} tunnels stall the loop for 15 ms at most`, async (t) => {
  const peers = start(new URL('./crowd-peers.ts', import.meta.url))
  const proxy = start(new URL('./crowd-proxy.ts', import.meta.url))
  t.teardown(() => {
    peers.kill('SIGKILL')
    proxy.kill('SIGKILL')
  })
  const { upstreamPort } = await answer<{ upstreamPort: number }>(peers)
  const { port } = await ask<{ port: number }>(proxy, { upstreamPort })
  peers.send({ connectTo: port, count: tunnels })
  let size = 0
  const until = performance.now() + seconds(60)
  while (size < tunnels && performance.now() < until) {
    await setTimeout(100)
    size = (await ask<{ size: number }>(proxy, { ask: true })).size
  }
  t.equal(size, tunnels, 'all over sockets are open')
  proxy.send({ inProcess: all - tunnels })

  const unchanged = await ask<Judged>(proxy, { deny: [] })
  report('none', unchanged)
  t.equal(unchanged.judged, all)
  t.equal(unchanged.left, all, 'what is still allowed stays')
  t.ok(unchanged.passMs < maxPassMs)

  const results: Judged[] = []
  for (const remainders of attempts) {
    const result = await ask<Judged>(proxy, { deny: remainders })
    results.push(result)
    report(remainders.join(', '), result)
  }
  const stallMs = median(results.map((result) => result.ownStallMs))
  t.ok(stallMs <= maxStallMs, `the loop stalls for ${stallMs.toFixed(1)} ms at most`)
  t.ok(median(results.map(({ passMs }) => passMs)) <= maxPassMs, 'all is done within 2 s')

  t.equal(results.at(-1)?.left, all * 0.4, 'each attempt ended two tenths')
  const ended = Math.round(tunnels * 0.6)
  const { resets, ends } = await ask<{ resets: number; ends: number }>(peers, { ask: true })
  t.same([resets, ends], [2 * ended, 0], 'both peers of each saw a reset, all others nothing')

  function report(denied: string, { judged, left, passMs, stallMs, ownStallMs }: Judged): void {
    t.comment(
      `${judged} judged, ${judged - left} ended (${denied}) in ${passMs.toFixed()} ms; ` +
        `longest stall ${stallMs.toFixed(1)} ms, without waiting for a core ${ownStallMs.toFixed(1)} ms`,
    )
  }
})

function median(three: readonly number[]): number {
  return three.toSorted((x, y) => x - y)[1] ?? Infinity
}

function openFiles(): number {
  const limit = execFileSync('sh', ['-c', `${raiseLimit}; ulimit -n`], { encoding: 'utf8' }).trim()
  return limit === 'unlimited' ? Infinity : Number(limit)
}

function start(file: URL): ChildProcess {
  const script = `${raiseLimit}; exec "$0" "$@"`
  return spawn('sh', ['-c', script, process.execPath, '--expose-gc', fileURLToPath(file)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { PATH: process.env['PATH'] },
  })
}

async function answer<Message>(from: ChildProcess): Promise<Message> {
  const [message] = (await once(from, 'message')) as [Message]
  return message
}

async function ask<Message>(from: ChildProcess, question: Serializable): Promise<Message> {
  const answered = answer<Message>(from)
  from.send(question)
  return answered
}
