import { execFileSync } from 'node:child_process'
import { chmod, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { readText } from '../../src/documents/read-text.ts'
import { MiB } from '../../src/units.ts'

void t.test('readText reads UTF-8, without its byte order mark', async (t) => {
  const directory = t.testdir({ file: '\ufeffb\u00fccher' })
  t.same(await readText(join(directory, 'file')), { kind: 'text', text: 'b\u00fccher' })
})

const broken: readonly {
  readonly note: string
  readonly make: (file: string) => Promise<void> | void
  readonly message: RegExp
}[] = [
  { note: 'nothing', make: () => undefined, message: /does not exist/ },
  {
    note: 'a loop of links',
    make: (file) => symlink(file, file),
    message: /symbolic link that leads to itself/,
  },
  {
    note: 'a named pipe, without waiting for its writer',
    make: (file) => void execFileSync('mkfifo', [file]),
    message: /not a regular file/,
  },
  { note: 'a device', make: (file) => symlink('/dev/zero', file), message: /not a regular file/ },
  {
    note: 'a hundred megabytes, without reading them',
    make: async (file) => {
      await writeFile(file, '')
      await truncate(file, 100 * MiB)
    },
    message: /larger than 32 MiB/,
  },
  {
    note: 'bytes that are not UTF-8',
    make: (file) => writeFile(file, Buffer.from([0x61, 0xff, 0xfe])),
    message: /not UTF-8/,
  },
  {
    note: 'UTF-16',
    make: (file) => writeFile(file, Buffer.from('name: shop', 'utf16le')),
    message: /binary/,
  },
]

for (const { note, make, message } of broken) {
  void t.test(`readText refuses ${note}`, async (t) => {
    const file = join(t.testdir({}), 'file')
    await make(file)
    t.match(await readText(file), { kind: 'unreadable', message })
  })
}

void t.test('readText refuses a directory', async (t) => {
  const directory = t.testdir({ file: {} })
  t.match(await readText(join(directory, 'file')), { kind: 'unreadable', message: /a directory/ })
})

void t.test('readText refuses what this user may not read', async (t) => {
  const file = join(t.testdir({ file: 'a' }), 'file')
  await chmod(file, 0)
  const read = await readText(file)
  // The superuser may read everything.
  if (process.getuid?.() === 0) t.match(read, { kind: 'text' })
  else t.match(read, { kind: 'unreadable', message: /may not be read/ })
})

void t.test('readText refuses a file that grows beyond its bound while it is read', async (t) => {
  const file = join(t.testdir({ file: 'a'.repeat(MiB + 1) }), 'file')
  t.match(await readText(file, MiB), { kind: 'unreadable', message: /larger than 1 MiB/ })
  // Files of procfs say that they are empty.
  t.match(await readText('/proc/self/status', MiB), { kind: 'text', text: /^Name:/ })
  t.match(await readText('/proc/self/status', 10), { kind: 'unreadable' })
})
