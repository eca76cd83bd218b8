import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type AccessLogOptions, createAccessLog } from '../../src/audit/log-writer.ts'
import { createRecordFormat } from '../../src/audit/format-record.ts'
import type { LineBatch } from '../../src/audit/line-batch.ts'
import { KiB, MiB } from '../../src/units.ts'
import { recordFrom } from '../support/record-parts.ts'

const record = recordFrom({ decision: { reason: 'unknown-resource' } })

function options(file: string, change: Partial<AccessLogOptions> = {}): AccessLogOptions {
  return {
    file,
    instance: 'test',
    boot: 'boot',
    flushIntervalMs: 5,
    bufferBytes: MiB,
    onFailure: 'continue',
    onProblem: () => undefined,
    onRecovery: () => undefined,
    now: () => record.time,
    ...change,
  }
}

interface Line {
  readonly operationName: string
  readonly properties: { readonly sequence: number; readonly recordsLost?: number }
}

function linesOf(text: string): Line[] {
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line is torn')
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)
}

function sequences(text: string): number[] {
  return linesOf(text).map(({ properties }) => properties.sequence)
}

function oneTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1)
}

void t.test('records are numbered from 1 and written in order', async (t) => {
  const file = join(t.testdir(), 'access.log')
  const log = createAccessLog(options(file))
  for (let index = 0; index < 500; index++) log.accept(record)
  t.equal(log.sequence, 500)
  await log.flush()
  t.same(sequences(readFileSync(file, 'utf8')), oneTo(500), 'more than one batch')
  t.equal(statSync(file).mode & 0o777, 0o640 & ~process.umask())
  log.accept(record)
  await log.close()
  t.same(sequences(readFileSync(file, 'utf8')), oneTo(501), 'close writes the tail')
  log.accept(record)
  t.equal(log.lost, 1, 'after close nothing is accepted, and counted')
})

void t.test('records are written by themselves within the flush interval', async (t) => {
  const file = join(t.testdir(), 'access.log')
  let wrote = Promise.withResolvers<void>()
  const log = createAccessLog(
    options(file, {
      write: (_fd, bytes, _offset, length, _position, callback) => {
        appendFileSync(file, bytes)
        setImmediate(() => {
          callback(null, length)
          wrote.resolve()
        })
      },
    }),
  )
  log.accept(record)
  t.equal(readFileSync(file, 'utf8'), '', 'accepting does not write')
  await wrote.promise
  wrote = Promise.withResolvers()
  log.accept(record)
  await wrote.promise
  t.same(sequences(readFileSync(file, 'utf8')), [1, 2])
  await log.close()
})

void t.test('a category that the perimeter switched off gets no number', async (t) => {
  const file = join(t.testdir(), 'access.log')
  const log = createAccessLog(options(file))
  const parts = recordFrom({ decision: { resource: 'orders', category: 'NspOutboundAttempt' } })
  const { resource } = parts.decision
  const association = resource?.association
  if (resource === undefined || association === undefined) throw new Error('orders is associated')
  const perimeter = {
    ...association.perimeter,
    enabledLogCategories: new Set(['NspPrivateInboundAllowed']),
  }
  const off = {
    ...parts,
    decision: {
      ...parts.decision,
      resource: { ...resource, association: { ...association, perimeter } },
    },
  }
  log.accept(record)
  log.accept(off)
  log.accept(record)
  await log.close()
  t.same(sequences(readFileSync(file, 'utf8')), [1, 2])
  t.equal(log.lost, 0)
})

void t.test('a record that cannot be formatted is counted and harms nobody', async (t) => {
  const file = join(t.testdir(), 'access.log')
  const log = createAccessLog(options(file))
  t.doesNotThrow(() => log.accept({ ...record, time: Number.NaN }))
  log.accept(record)
  await log.close()
  const lines = linesOf(readFileSync(file, 'utf8'))
  t.match(lines, [{ properties: { recordsLost: 1, sequence: 1 } }, { properties: { sequence: 2 } }])
})

void t.test('a file that cannot be opened is RF_AUDIT', async (t) => {
  t.throws(() => createAccessLog(options(join(t.testdir(), 'no', 'such', 'access.log'))), {
    code: 'RF_AUDIT',
  })
})

void t.test('a torn last line of a killed process is ended before the first record', async (t) => {
  const file = join(t.testdir({ 'access.log': '{"time":"20' }), 'access.log')
  const log = createAccessLog(options(file))
  log.accept(record)
  await log.close()
  const [torn, ...rest] = readFileSync(file, 'utf8').split('\n')
  t.equal(torn, '{"time":"20')
  t.equal(rest.length, 2)
  t.match(JSON.parse(rest[0] ?? ''), { properties: { sequence: 1 } })
})

void t.test('rotation by name: no line is torn, lost or written twice', async (t) => {
  const dir = t.testdir()
  const [file, old] = [join(dir, 'access.log'), join(dir, 'access.log.1')]
  const log = createAccessLog(options(file))
  for (let index = 0; index < 200; index++) log.accept(record)
  renameSync(file, old)
  const reopened = log.reopen()
  for (let index = 0; index < 200; index++) log.accept(record)
  await reopened
  for (let index = 0; index < 200; index++) log.accept(record)
  await log.close()
  const before = sequences(readFileSync(old, 'utf8'))
  const after = sequences(readFileSync(file, 'utf8'))
  t.same([...before, ...after], oneTo(600))
  t.ok(after.length >= 200, 'the new file is written')
})

void t.test(
  'reopen while idle creates the new file; where it cannot, the old one goes on',
  async (t) => {
    const dir = t.testdir({ logs: {} })
    const [logs, moved] = [join(dir, 'logs'), join(dir, 'moved')]
    const problems: string[] = []
    const log = createAccessLog(
      options(join(logs, 'access.log'), { onProblem: (problem) => problems.push(problem) }),
    )
    renameSync(logs, moved)
    await log.reopen()
    t.match(problems, [/cannot be opened again: its directory does not exist/])
    log.accept(record)
    await log.flush()
    t.same(sequences(readFileSync(join(moved, 'access.log'), 'utf8')), [1])
    renameSync(moved, logs)
    renameSync(join(logs, 'access.log'), join(logs, 'old'))
    await log.reopen()
    t.ok(existsSync(join(logs, 'access.log')))
    await log.close()
  },
)

/** What this process holds open below a folder. */
function openBelow(folder: string): string[] {
  return readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`)
      } catch {
        return ''
      }
    })
    .filter((path) => path.startsWith(realpathSync(folder)))
}

void t.test('rotation and close give descriptors back', async (t) => {
  const dir = t.testdir()
  const file = join(dir, 'access.log')
  const log = createAccessLog(options(file))
  for (const how of ['idle', 'writing'] as const) {
    renameSync(file, join(dir, how))
    if (how === 'writing') for (let index = 0; index < 200; index++) log.accept(record)
    await log.reopen()
    await until(() => openBelow(dir).length === 1)
    t.same(openBelow(dir), [realpathSync(file)], how)
  }
  await log.close()
  await until(() => openBelow(dir).length === 0)
  t.pass('all are closed')
})

void t.test('a file with a torn last line takes over: it is ended first', async (t) => {
  const dir = t.testdir()
  const file = join(dir, 'access.log')
  const log = createAccessLog(options(file))
  renameSync(file, join(dir, 'old'))
  writeFileSync(file, '{"torn')
  await log.reopen()
  log.accept(record)
  await log.flush()
  await log.flush()
  t.same(sequences(readFileSync(file, 'utf8').replace('{"torn\n', '')), [1])
  await log.close()
})

void t.test('what arrives during a write is written after it, by time and by size', async (t) => {
  for (const [note, flushIntervalMs, count] of [
    ['by time', 1, 3],
    ['by size', 600_000, 2000],
  ] as const) {
    const gate = Promise.withResolvers<void>()
    const file = join(t.testdir(), 'access.log')
    let writes = 0
    const log = createAccessLog(
      options(file, {
        flushIntervalMs,
        bufferBytes: 4 * MiB,
        write: (_fd, bytes, offset, length, _position, callback) => {
          const writeLater = async () => {
            writes++
            await gate.promise
            appendFileSync(file, bytes.subarray(offset, offset + length))
            callback(null, length)
          }
          void writeLater()
        },
      }),
    )
    for (let index = 0; index < count; index++) log.accept(record)
    await until(() => writes === 1)
    for (let index = 0; index < count; index++) log.accept(record)
    // The interval passes while the first write goes on.
    await new Promise((resolve) => setTimeout(resolve, 10))
    gate.resolve()
    const batchRecords = 200
    const wanted = count < batchRecords ? 2 * count : 2 * count - batchRecords
    await until(() => readFileSync(file, 'utf8').split('\n').length > wanted)
    t.ok(writes >= 2, note)
    await log.close()
    t.same(sequences(readFileSync(file, 'utf8')), oneTo(2 * count), note)
  }
})

void t.test('what has piled up is written in few pieces', async (t) => {
  let ends: (() => void)[] = []
  const file = join(t.testdir(), 'access.log')
  let writes = 0
  const log = createAccessLog(
    options(file, {
      bufferBytes: 4 * MiB,
      write: (_fd, bytes, offset, length, _position, callback) => {
        writes++
        appendFileSync(file, bytes.subarray(offset, offset + length))
        ends.push(() => callback(null, length))
      },
    }),
  )
  for (let index = 0; index < 4000; index++) log.accept(record)
  for (let turn = 0; turn < 3; turn++) {
    const heard = ends
    ends = []
    for (const end of heard) end()
  }
  t.ok(sequences(readFileSync(file, 'utf8')).length > 3900)
  t.ok(writes <= 3, `${writes} writes`)
  await log.close(1)
})

/** A target of which a test says how each write goes: bytes taken, or an error code. */
function scripted(t: Test, steps: (number | string)[]) {
  const file = join(t.testdir(), 'access.log')
  let taken = ''
  const problems: string[] = []
  const log = createAccessLog(
    options(file, {
      flushIntervalMs: 1,
      bufferBytes: 16 * KiB,
      onProblem: (problem) => problems.push(problem),
      write: (_fd, bytes, offset, length, _position, callback) => {
        const step = steps.shift() ?? length
        if (typeof step === 'string') {
          setImmediate(callback, Object.assign(new Error(step), { code: step }), 0)
          return
        }
        const count = Math.min(step, length)
        taken += bytes.toString('latin1', offset, offset + count)
        setImmediate(callback, null, count)
      },
    }),
  )
  return { file, log, problems, taken: () => taken }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}

void t.test('partial writes, a busy pipe and a full disk in the middle of a line', async (t) => {
  for (const [note, steps, problem] of [
    ['partial writes', [1, 700, 3, 1], undefined],
    ['a busy pipe', ['EAGAIN', 10, 'EAGAIN', 'EINTR', 10], undefined],
    ['a write of nothing', [10, 0], undefined],
    ['a full disk', [300, 'ENOSPC', 'ENOSPC', 5, 'ENOSPC'], 'ENOSPC'],
    ['a reader that went and came back', ['EPIPE', 10, 'EPIPE'], 'EPIPE'],
  ] as const) {
    const { log, taken, problems } = scripted(t, [...steps])
    for (let index = 0; index < 3; index++) log.accept(record)
    await until(() => taken().split('\n').length === 4)
    t.same(sequences(taken()), [1, 2, 3], `${note}: whole lines, once each`)
    const failures = problems.filter((text) => text.includes('cannot be written'))
    t.equal(failures.length > 0, problem !== undefined, `${note}: problem is reported`)
    t.ok(failures.length <= 2, `${note}: once for each time that it begins`)
    t.equal(log.lost, 0, note)
    await until(() => log.state === 'written')
    await log.close()
  }
})

void t.test(
  'a disk that is full when the log is rotated: the begun line begins anew',
  async (t) => {
    const { log, file, taken } = scripted(t, [100, 'ENOSPC', 'ENOSPC'])
    for (let index = 0; index < 3; index++) log.accept(record)
    await until(() => log.state === 'failing')
    renameSync(file, `${file}.1`)
    const torn = taken().length
    await log.reopen()
    await until(() => log.state === 'written')
    await log.flush()
    t.same(sequences(taken().slice(torn)), [1, 2, 3])
    await log.close()
  },
)

void t.test(
  'what does not fit is counted, reported before the next record, and gets no number',
  async (t) => {
    const gate = Promise.withResolvers<void>()
    const file = join(t.testdir(), 'access.log')
    const problems: string[] = []
    let time = record.time
    const log = createAccessLog(
      options(file, {
        bufferBytes: 4 * KiB,
        onProblem: (problem) => problems.push(problem),
        now: () => time++,
        write: (_fd, bytes, offset, length, _position, callback) => {
          const writeLater = async () => {
            await gate.promise
            appendFileSync(file, bytes.subarray(offset, offset + length))
            callback(null, length)
          }
          void writeLater()
        },
      }),
    )
    for (let index = 0; index < 100; index++) log.accept(record)
    const accepted = log.sequence
    t.equal(log.lost, 100 - accepted)
    t.same(problems, ['the access log cannot keep up: records are being lost'], 'said once')
    gate.resolve()
    await log.flush()
    log.accept(record)
    await log.close()
    const lines = linesOf(readFileSync(file, 'utf8'))
    t.same(
      lines.map(({ properties }) => properties.sequence),
      oneTo(accepted + 2),
      'no gap: nothing that was accepted is missing',
    )
    t.match(lines[accepted], {
      operationName: 'records-lost',
      time: new Date(record.time).toISOString(),
      timeGeneratedEndTime: new Date(record.time + 99 - accepted).toISOString(),
      properties: { recordsLost: 100 - accepted },
    })
  },
)

void t.test(
  'records-lost is written when there is room, without waiting for another record',
  async (t) => {
    const { log, taken } = scripted(t, ['EAGAIN'])
    for (let index = 0; index < 100; index++) log.accept(record)
    t.ok(log.lost > 0)
    await until(() => taken().includes('records-lost') && taken().endsWith('\n'))
    t.equal(linesOf(taken()).at(-1)?.properties.recordsLost, log.lost)
    await log.close()
  },
)

void t.test('close gives up at its deadline and says what stays', async (t) => {
  const problems: string[] = []
  const log = createAccessLog(
    options(join(t.testdir(), 'access.log'), {
      write: () => undefined,
      onProblem: (problem) => problems.push(problem),
    }),
  )
  log.accept(record)
  await log.close(20)
  t.match(problems, [/closes with \d+ bytes unwritten/])
})

void t.test(
  '/dev/full: the process lives, memory is bounded, what is lost is counted',
  async (t) => {
    const problems: string[] = []
    const log = createAccessLog(
      options('/dev/full', {
        bufferBytes: 8 * KiB,
        onProblem: (problem) => problems.push(problem),
      }),
    )
    for (let index = 0; index < 1000; index++) log.accept(record)
    await log.flush()
    t.match(problems, ['the access log cannot keep up: records are being lost', /ENOSPC/])
    t.equal(log.lost, 1000 - log.sequence)
    await log.close()
    t.match(problems.at(-1), /unwritten/)
  },
)

void t.test('a directory is no log; a file whose last line is whole is continued', async (t) => {
  const dir = t.testdir({ file: '' })
  t.throws(() => createAccessLog(options(dir)), { code: 'RF_AUDIT' })
  writeFileSync(join(dir, 'file'), 'whole\n')
  const log = createAccessLog(options(join(dir, 'file')))
  log.accept(record)
  await log.close()
  t.equal(readFileSync(join(dir, 'file'), 'utf8').split('\n').length, 3, 'no empty line')
})

void t.test('a full log blocks new work or lets it on, and says so once each way', async (t) => {
  for (const { note, onFailure, blocks, full, said } of [
    {
      note: 'deny',
      onFailure: 'deny',
      blocks: true,
      full: 'refusing',
      said: /new work is refused$/,
    },
    { note: 'continue', onFailure: 'continue', blocks: false, full: 'losing', said: /being lost$/ },
  ] as const) {
    const problems: string[] = []
    const writes: (() => void)[] = []
    const told: boolean[] = []
    let takenBytes = 0
    const bufferBytes = 256 * KiB
    const log = createAccessLog(
      options(join(t.testdir(), 'access.log'), {
        onFailure,
        bufferBytes,
        onProblem: (problem) => problems.push(problem),
        onRecovery: (news) => problems.push(`good: ${news}`),
        onBlock: (blocked) => told.push(blocked),
        write: (_fd, _bytes, _offset, length, _position, callback) => {
          writes.push(() => {
            takenBytes += length
            callback(null, length)
          })
        },
      }),
    )
    const look = () => ({ blocks: log.blocksNewWork, state: log.state, said: problems.length })
    t.same(look(), { blocks: false, state: 'written', said: 0 }, note)
    while (log.lost < 5) log.accept(record)
    t.same(look(), { blocks, state: full, said: 1 }, `${note}: full`)
    t.match(problems[0], said, note)
    while (takenBytes < bufferBytes / 4) writes.shift()?.()
    t.same(look(), { blocks, state: full, said: 1 }, `${note}: a little room is not enough`)
    while (takenBytes < bufferBytes / 2) writes.shift()?.()
    t.same(look(), { blocks: false, state: 'written', said: 2 }, `${note}: half of it is free`)
    t.match(problems[1], /^good: .* has room again/, note)
    t.same(told, blocks ? [true, false] : [], `${note}: told of each change`)
    await log.close(1)
  }
})

const format = createRecordFormat({ instance: 'test', boot: 'boot' })

/** The record, so many times, as another thread hands it over. */
function batchOf(count: number): LineBatch {
  let text = ''
  const cuts: number[] = []
  for (let index = 0; index < count; index++) {
    text += format.head(record)
    cuts.push(text.length)
    text += format.tail(record)
    cuts.push(text.length)
  }
  return { text, cuts, lost: undefined }
}

void t.test('of lines that were made elsewhere, those are lost that do not fit', async (t) => {
  const file = join(t.testdir(), 'access.log')
  const log = createAccessLog(options(file, { bufferBytes: 4 * KiB }))
  log.acceptLines(batchOf(0))
  t.equal(log.sequence, 0)
  log.accept(record)
  log.acceptLines(batchOf(20))
  t.ok(log.sequence > 2 && log.lost > 2)
  t.equal(log.sequence + log.lost, 21)
  t.equal(log.state, 'losing')
  const accepted = log.sequence
  await log.flush()
  await log.close()
  const lines = linesOf(readFileSync(file, 'utf8'))
  t.same(sequences(readFileSync(file, 'utf8')), oneTo(accepted + 1))
  t.equal(lines.at(-1)?.properties.recordsLost, log.lost)
})

void t.test('lines that were made elsewhere get their numbers here', async (t) => {
  const file = join(t.testdir(), 'access.log')
  const blocks: boolean[] = []
  const log = createAccessLog(options(file, { onBlock: (blocked) => blocks.push(blocked) }))
  log.accept(record)
  log.acceptLines(batchOf(3))
  log.addLost({ count: 2, firstTime: record.time + 5, lastTime: record.time + 7 })
  await log.flush()
  const lines = readFileSync(file, 'utf8').split('\n')
  t.equal(lines[1], format.record(record, 2).trimEnd())
  t.match(
    JSON.parse(lines[4] ?? ''),
    {
      time: new Date(record.time + 5).toISOString(),
      timeGeneratedEndTime: new Date(record.time + 7).toISOString(),
      properties: { recordsLost: 2 },
    },
    'what was lost elsewhere is said without waiting for another record',
  )
  log.accept(record)
  await log.close()
  t.same(sequences(readFileSync(file, 'utf8')), oneTo(6), 'one sequence')
  t.equal(log.lost, 2)
  t.same(blocks, [])
})

void t.test('a record that cannot be formatted blocks nobody', async (t) => {
  const problems: string[] = []
  const log = createAccessLog(
    options(join(t.testdir(), 'access.log'), {
      onFailure: 'deny',
      onProblem: (problem) => problems.push(problem),
    }),
  )
  for (let count = 0; count < 3; count++) log.accept({ ...record, time: Number.NaN })
  t.same([log.blocksNewWork, log.lost], [false, 3])
  t.same(problems, ['bug: a record cannot be formatted and is lost'], 'said once')
  await log.close()
})

void t.test('a line longer than the buffer is written where nothing waits', async (t) => {
  const file = join(t.testdir(), 'access.log')
  const log = createAccessLog(options(file, { onFailure: 'deny', bufferBytes: 100 }))
  log.accept(record)
  t.equal(log.blocksNewWork, false)
  log.accept(record)
  t.equal(log.blocksNewWork, true)
  await log.flush()
  t.equal(log.blocksNewWork, false)
  await log.close()
  t.match(readFileSync(file, 'utf8'), /"recordsLost":1/)
})

void t.test('what was lost last is said before the log is closed', async (t) => {
  const file = join(t.testdir(), 'access.log')
  const log = createAccessLog(options(file))
  log.accept({ ...record, time: Number.NaN })
  await log.close()
  t.match(linesOf(readFileSync(file, 'utf8')), [{ properties: { recordsLost: 1 } }])
})
