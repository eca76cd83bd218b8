import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

/** The access log of a process of its own, whose standard output, disk or life is taken away. */
const script = fileURLToPath(new URL('../support/access-log-child.ts', import.meta.url))

interface Report {
  readonly sequence: number
  readonly lost: number
  readonly problems: readonly string[]
}

function start(args: readonly string[], stdio: StdioOptions): ChildProcess {
  // Without what a test runner preloads: it touches the standard streams.
  return spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, script, ...args], { stdio })
}

/** Descriptor 3, where the child reports. */
function reportOf(child: ChildProcess): Readable {
  const stream = child.stdio[3]
  if (!(stream instanceof Readable)) throw new Error('descriptor 3 is a pipe')
  return stream
}

async function readReport(child: ChildProcess): Promise<Report> {
  const lines = (await text(reportOf(child))).trimEnd().split('\n')
  return JSON.parse(lines.at(-1) ?? '') as Report
}

/** After 10,000 records for a reader that does not read. */
function checkStarved(t: Test, { lost, sequence, problems }: Report): void {
  t.ok(lost > 0, 'the buffer is bounded')
  const lossReports = sequence + lost - 10_000
  t.ok(lossReports >= 0 && lossReports < 20, 'each was accepted or counted')
  t.match(problems.join('\n'), /cannot keep up[^]*bytes unwritten/)
}

function sequencesIn(log: string): number[] {
  return log
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const { properties } = JSON.parse(line) as { properties: { sequence: number } }
      return properties.sequence
    })
}

void t.test('standard output is written whole and in order', async (t) => {
  // All of it fits the buffer: on a busy machine this reader may be late.
  const child = start(['-', '25', '40'], ['ignore', 'pipe', 'inherit', 'pipe'])
  if (child.stdout === null) throw new Error('stdout is a pipe')
  const [log, report] = await Promise.all([text(child.stdout), readReport(child)])
  t.equal(report.lost, 0)
  t.same(
    sequencesIn(log),
    Array.from({ length: report.sequence }, (_, index) => index + 1),
  )
})

void t.test('a socket that nobody reads stalls neither the loop nor the exit', async (t) => {
  const child = start(['-', '500', '20'], ['ignore', 'pipe', 'inherit', 'pipe'])
  const [report, [code]] = await Promise.all([readReport(child), once(child, 'exit')])
  t.equal(code, 0, 'the process ends by itself')
  checkStarved(t, report)
  child.stdout?.destroy()
})

void t.test('a pipe that nobody reads stalls neither the loop nor the exit', async (t) => {
  // The shell makes a pipe, where Node would make a socket. `sleep` holds it and never reads.
  const command = 'unset NODE_OPTIONS; { "$0" "$1" - 500 20; echo "exit $?" >&3; } | sleep 60'
  const shell = spawn('sh', ['-c', command, process.execPath, script], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    detached: true,
  })
  let output = ''
  for await (const chunk of reportOf(shell)) {
    output += String(chunk)
    if (/^exit .*\n/m.test(output)) break
  }
  if (shell.pid !== undefined) process.kill(-shell.pid, 'SIGKILL')
  const [report = '', exit] = output.trimEnd().split('\n').slice(-2)
  t.equal(exit, 'exit 0', 'the process ends by itself')
  checkStarved(t, JSON.parse(report) as Report)
})

void t.test('a pipe that is closed: the process lives on and says so', async (t) => {
  const child = start(['-', '10', '60'], ['ignore', 'pipe', 'ignore', 'pipe'])
  const report = readReport(child)
  child.stdout?.destroy()
  const [code] = await once(child, 'exit')
  t.equal(code, 0)
  t.match((await report).problems, [/cannot be written: EPIPE/])
})

void t.test('standard error that is closed ends nothing either', async (t) => {
  const child = start(['/dev/full', '10', '60'], ['ignore', 'ignore', 'pipe', 'pipe'])
  const report = readReport(child)
  child.stderr?.destroy()
  const [code] = await once(child, 'exit')
  t.equal(code, 0)
  t.match((await report).problems, [/cannot be written: ENOSPC/])
})

void t.test('problems are lines of the operational log on standard error', async (t) => {
  const child = start(['/dev/full', '1', '50'], ['ignore', 'ignore', 'pipe', 'pipe'])
  if (child.stderr === null) throw new Error('stderr is a pipe')
  const [errors] = await Promise.all([text(child.stderr), readReport(child)])
  const first = JSON.parse(errors.split('\n')[0] ?? '') as { level: number; msg: string }
  t.match(first, { level: 50, msg: /cannot be written: ENOSPC/ })
})

void t.test('kill -9 loses no record that was there for a flush interval', async (t) => {
  const file = join(t.testdir({ 'access.log': '' }), 'access.log')
  const child = start([file, '5', '100000', '50'], ['ignore', 'ignore', 'inherit', 'pipe'])
  const report = reportOf(child)
  let accepted = 0
  // Whatever was accepted before this much was said is written by itself, while more and more comes.
  for await (const line of createInterface({ input: report })) {
    const [sequence = 0] = line.split(' ').map(Number)
    accepted ||= sequence
    if ((sequencesIn(readFileSync(file, 'utf8')).at(-1) ?? 0) >= accepted) break
  }
  child.kill('SIGKILL')
  await once(child, 'close')
  const written = sequencesIn(readFileSync(file, 'utf8'))
  t.ok((written.at(-1) ?? 0) >= accepted)
  t.same(
    written,
    written.map((_, index) => index + 1),
    'no gap',
  )
})
