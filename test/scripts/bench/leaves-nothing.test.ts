import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'

/** The benches as somebody types them, in a folder for scratch of their own: so it shows what they leave there. */

type Test = Pick<typeof t, 'teardown'>

function start(t: Test, args: readonly string[]) {
  const scratch = mkdtempSync(join(tmpdir(), 'ringfence-test-'))
  const child = spawn(process.execPath, [...args], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TMPDIR: scratch },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text))
  }
  const closed = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGTERM')
    await closed
    rmSync(scratch, { recursive: true })
  })
  return { child, scratch, closed, printed: () => printed }
}

/** Processes whose current folder is, or was, in this one. */
function processesIn(folder: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)
    } catch {
      return false
    }
  })
}

/** What is killed is gone a moment later, and nothing tells when. */
const dyingMs = 5_000

/** No process and no file of its own. */
async function whatIsLeft(scratch: string): Promise<readonly string[]> {
  const until = performance.now() + dyingMs
  while (processesIn(scratch).length > 0 && performance.now() < until) await delay(20)
  const folders = readdirSync(scratch).filter((name) => name.startsWith('ringfence-'))
  return [...processesIn(scratch), ...folders]
}

const bench = 'scripts/bench/main.ts'
const soak = 'scripts/soak/main.ts'

void t.test(
  'bench: a scenario is measured, who is missing is named, and nothing is left',
  async (t) => {
    const args = ['--smoke', '--source', '--only', 'reverse', '--peers', 'http-proxy-3']
    const { closed, scratch, printed } = start(t, [bench, ...args])
    t.strictSame(await closed, [0, null], printed())
    t.match(printed(), /^http-proxy-3 is missing: npm install --prefix \S+ http-proxy-3@\d/m)
    t.match(printed(), /^ringfence .* µs\/request/m)
    t.strictSame(await whatIsLeft(scratch), [])
  },
)

const interruptible = [
  { name: 'bench', args: [bench, '--smoke', '--source', '--only', 'swap', '--peers', 'nginx'] },
  { name: 'soak', args: [soak, '--minutes', '5'] },
]
for (const { name, args } of interruptible) {
  void t.test(`${name}: Ctrl-C ends everything it started`, async (t) => {
    const { child, closed, scratch, printed } = start(t, args)
    // As soon as Ringfence runs, and what is behind it.
    while (processesIn(scratch).length < 2) await delay(20)
    child.kill('SIGINT')
    t.strictSame(await closed, [130, null], printed())
    t.strictSame(await whatIsLeft(scratch), [])
  })
}

for (const [name, program] of Object.entries({ bench, soak })) {
  void t.test(`${name}: a mistake on the command line is 2, help is 0`, async (t) => {
    const wrong = start(t, [program, '--wrong'])
    t.strictSame(await wrong.closed, [2, null])
    t.match(wrong.printed(), /--wrong.*; --help shows the usage/)
    const help = start(t, [program, '--help'])
    t.strictSame(await help.closed, [0, null])
    t.match(help.printed(), new RegExp(`^example: npm run ${name} --`, 'm'))
  })
}
