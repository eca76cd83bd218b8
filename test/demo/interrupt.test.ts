import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'

/** Whatever ends the demo, nothing that it started goes on, and its folder is gone. */

const program = path.resolve(import.meta.dirname, '../../src/main.ts')

interface Started {
  readonly demo: ChildProcess
  /** Its children by process id, as they were when the first check was through. */
  readonly children: readonly number[]
}

async function startDemo(folder: string): Promise<Started> {
  const demo = spawn(process.execPath, [program, 'demo'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: folder },
  })
  t.teardown(() => demo.kill('SIGKILL'))
  for await (const line of createInterface({ input: demo.stdout })) if (line.includes('✓')) break
  demo.stdout.resume()
  const list = readFileSync(`/proc/${demo.pid}/task/${demo.pid}/children`, 'utf8')
  return { demo, children: list.trim().split(' ').map(Number) }
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`)
}

/** Children of a killed process end by themselves a moment later. */
async function untilGone(pids: readonly number[]): Promise<readonly number[]> {
  for (let turn = 0; turn < 200 && pids.some(isAlive); turn++) await delay(25)
  return pids.filter(isAlive)
}

for (const [signal, exitCode] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  void t.test(`runDemo: ${signal} ends every process and removes the folder`, async (t) => {
    // Not in the test's own folder: its path is too long for the admin socket.
    const folder = mkdtempSync(path.join(tmpdir(), 'demo-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    const { demo, children } = await startDemo(folder)
    t.equal(children.length, 7, 'six mock services and ringfence')
    const end = once(demo, 'exit')
    demo.kill(signal)
    const [code] = await end
    t.equal(code, exitCode)
    t.strictSame(await untilGone(children), [])
    t.strictSame(
      readdirSync(folder).filter((name) => name.startsWith('ringfence-demo-')),
      [],
    )
  })
}

void t.test('runDemo: an end while everything still starts leaves nothing either', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'demo-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const watcher = watch(folder)
  t.teardown(() => watcher.close())
  const made = once(watcher, 'change')
  const demo = spawn(process.execPath, [program, 'demo'], {
    stdio: 'ignore',
    env: { ...process.env, TMPDIR: folder },
  })
  t.teardown(() => demo.kill('SIGKILL'))
  const end = once(demo, 'exit')
  await made
  demo.kill('SIGTERM')
  const [code] = await end
  t.equal(code, 143)
  t.strictSame(
    readdirSync(folder).filter((name) => name.startsWith('ringfence-demo-')),
    [],
  )
})
