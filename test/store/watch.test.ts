import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createWatch, type Watch } from '../../src/store/watch.ts'

/** Long enough for a busy machine; a change shows within 200 ms. */
const patienceMs = 4000
/** Nothing may come in this time after the last thing that could bring it: debounce and look are over. */
const quietMs = 400

type Test = Pick<typeof t, 'teardown' | 'equal' | 'ok'>

interface Watched {
  readonly folder: string
  readonly watch: Watch
  /** Resolves with the next change that has not been waited for yet. */
  changed(): Promise<void>
  readonly changes: () => number
}

async function watchFolder(
  t: Test,
  { pollMs = 60_000, quickPollMs = 60_000 } = {},
): Promise<Watched> {
  const folder = await mkdtemp(join(tmpdir(), 'ringfence-watch-'))
  let changes = 0
  let waitedFor = 0
  let wake: (() => void) | undefined
  const watch = createWatch({
    onChange: () => {
      changes++
      wake?.()
    },
    debounceMs: 30,
    // By default so long that only an event can be the cause.
    pollMs,
    quickPollMs,
  })
  t.teardown(async () => {
    watch.close()
    await rm(folder, { recursive: true, force: true })
  })
  return {
    folder,
    watch,
    changes: () => changes,
    async changed() {
      waitedFor++
      const until = performance.now() + patienceMs
      while (changes < waitedFor && performance.now() < until) {
        await new Promise<void>((resolve) => {
          wake = resolve
          setTimeout(resolve, 100)
        })
      }
      t.ok(changes >= waitedFor, `change ${waitedFor} was noticed`)
    },
  }
}

async function nothingMore(watched: Watched, count: number, t: Test): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, quietMs))
  t.equal(watched.changes(), count)
}

async function watchOneFile(t: Test): Promise<Watched & { readonly file: string }> {
  const watched = await watchFolder(t)
  const file = join(watched.folder, 'shop.yaml')
  await writeFile(file, 'one')
  await watched.watch.setPaths([file], Date.now() + 1000)
  return { ...watched, file }
}

void t.test('createWatch notices what changes a file', async (t) => {
  await t.test('written in place', async (t) => {
    const watched = await watchOneFile(t)
    await writeFile(watched.file, 'two')
    await watched.changed()
    await writeFile(watched.file, 'three')
    await watched.changed()
    await nothingMore(watched, 2, t)
  })

  await t.test('renamed over, as editors do, and that more than once', async (t) => {
    const watched = await watchOneFile(t)
    for (const content of ['two', 'three', 'four']) {
      await writeFile(`${watched.file}.tmp`, content)
      await rename(`${watched.file}.tmp`, watched.file)
      await watched.changed()
    }
    await nothingMore(watched, 3, t)
  })

  await t.test('deleted, then made again', async (t) => {
    const watched = await watchOneFile(t)
    await rm(watched.file)
    await watched.changed()
    await writeFile(watched.file, 'again')
    await watched.changed()
    await nothingMore(watched, 2, t)
  })

  await t.test('swapped by a ConfigMap: the link `..data` is renamed over', async (t) => {
    const watched = await watchFolder(t)
    const { folder } = watched
    for (const [version, content] of [
      ['..v1', 'one'],
      ['..v2', 'two'],
      ['..v3', 'three'],
    ] as const) {
      await mkdir(join(folder, version))
      await writeFile(join(folder, version, 'shop.yaml'), content)
    }
    await symlink('..v1', join(folder, '..data'))
    await symlink('..data/shop.yaml', join(folder, 'shop.yaml'))
    await watched.watch.setPaths([join(folder, '*.yaml')], Date.now() + 1000)
    for (const version of ['..v2', '..v3']) {
      await symlink(version, join(folder, '..tmp'))
      await rename(join(folder, '..tmp'), join(folder, '..data'))
      await watched.changed()
    }
    await nothingMore(watched, 2, t)
  })

  await t.test('edited behind a symbolic link', async (t) => {
    const watched = await watchFolder(t)
    const elsewhere = join(watched.folder, 'elsewhere')
    await mkdir(join(watched.folder, 'here'))
    await mkdir(elsewhere)
    await writeFile(join(elsewhere, 'shop.yaml'), 'one')
    const link = join(watched.folder, 'here', 'shop.yaml')
    await symlink(join(elsewhere, 'shop.yaml'), link)
    await watched.watch.setPaths([link], Date.now() + 1000)
    await writeFile(join(elsewhere, 'shop.yaml'), 'two')
    await watched.changed()
  })

  await t.test('a new file that the pattern matches', async (t) => {
    const watched = await watchFolder(t)
    await writeFile(join(watched.folder, 'a.yaml'), 'one')
    await watched.watch.setPaths([join(watched.folder, '*.yaml')], Date.now() + 1000)
    await writeFile(join(watched.folder, 'b.yaml'), 'two')
    await watched.changed()
    await writeFile(join(watched.folder, 'b.yaml'), 'three')
    await watched.changed()
    await writeFile(join(watched.folder, 'notes.txt'), 'not ours')
    await nothingMore(watched, 2, t)
  })

  await t.test('a new name in a directory that is watched as such', async (t) => {
    const watched = await watchFolder(t)
    const directory = join(watched.folder, 'perimeters')
    await mkdir(directory)
    await watched.watch.setPaths([directory], Date.now() + 1000)
    await writeFile(join(directory, 'shop.yaml'), 'one')
    await watched.changed()
    await writeFile(join(directory, '.shop.yaml.swp'), 'an editor is open')
    await nothingMore(watched, 1, t)
  })

  await t.test('its folder vanishes and comes back', async (t) => {
    const watched = await watchFolder(t)
    const nested = join(watched.folder, 'etc', 'perimeters')
    const file = join(nested, 'shop.yaml')
    await mkdir(nested, { recursive: true })
    await writeFile(file, 'one')
    await watched.watch.setPaths([file], Date.now() + 1000)
    await rm(join(watched.folder, 'etc'), { recursive: true })
    await watched.changed()
    await mkdir(nested, { recursive: true })
    await writeFile(file, 'two')
    await watched.changed()
    await writeFile(file, 'three')
    await watched.changed()
  })
})

void t.test('createWatch', async (t) => {
  await t.test('takes a touched file for no change', async (t) => {
    const watched = await watchOneFile(t)
    await utimes(watched.file, new Date(), new Date())
    await writeFile(watched.file, 'one')
    await nothingMore(watched, 0, t)
  })

  await t.test('takes many writes at once for one change', async (t) => {
    const watched = await watchOneFile(t)
    for (let count = 0; count < 20; count++) await writeFile(watched.file, `write ${count}`)
    await watched.changed()
    await nothingMore(watched, 1, t)
  })

  await t.test('goes on in a directory that was made again, whatever its inode', async (t) => {
    const watched = await watchFolder(t)
    const folder = join(watched.folder, 'perimeters')
    const file = join(folder, 'shop.yaml')
    await mkdir(folder)
    await writeFile(file, 'one')
    await watched.watch.setPaths([file], Date.now() + 1000)
    for (const content of ['two', 'three', 'four']) {
      await rm(folder, { recursive: true })
      await mkdir(folder)
      await writeFile(file, content)
      await watched.changed()
      await writeFile(file, `${content}, edited`)
      await watched.changed()
    }
  })

  await t.test('polls quickly while something is missing, and when it came back', async (t) => {
    const watched = await watchFolder(t, { quickPollMs: 50 })
    const link = join(watched.folder, 'shop.yaml')
    const far = join(watched.folder, 'far', 'away')
    await mkdir(join(watched.folder, 'far'))
    await symlink(join(far, 'shop.yaml'), link)
    // The link leads to nothing, so no directory that it leads to can be watched.
    await watched.watch.setPaths([link], Date.now() + 1000)
    await mkdir(far)
    await writeFile(join(far, 'shop.yaml'), 'one')
    await watched.changed()
    await writeFile(join(far, 'shop.yaml'), 'two')
    await watched.changed()
  })

  await t.test('polls where no event comes', async (t) => {
    const watched = await watchFolder(t, { pollMs: 50 })
    const far = join(watched.folder, 'far')
    await mkdir(far)
    const [file, link, other] = ['shop.yaml', 'link', 'other'].map((name) => join(far, name))
    if (file === undefined || link === undefined || other === undefined) throw new Error()
    // A link to a link: only the folders of the first and of the last are watched.
    await mkdir(join(watched.folder, 'between'))
    await writeFile(file, 'one')
    await writeFile(other, 'two')
    await symlink(file, join(watched.folder, 'between', 'hop'))
    await mkdir(join(watched.folder, 'here'))
    await symlink(join(watched.folder, 'between', 'hop'), join(watched.folder, 'here', 'a.yaml'))
    await watched.watch.setPaths([join(watched.folder, 'here', 'a.yaml')], Date.now() + 1000)
    await symlink(other, link)
    await rename(link, join(watched.folder, 'between', 'hop'))
    await watched.changed()
  })

  await t.test('counts what was there at `mark` as seen', async (t) => {
    const watched = await watchOneFile(t)
    await writeFile(watched.file, 'two')
    await watched.watch.mark()
    await nothingMore(watched, 0, t)
    await writeFile(watched.file, 'three')
    await watched.changed()
  })

  await t.test('reports what changed between being read and being watched', async (t) => {
    const watched = await watchFolder(t)
    const file = join(watched.folder, 'shop.yaml')
    const readSince = Date.now()
    await writeFile(file, 'written while it was read')
    await watched.watch.setPaths([file], readSince)
    await watched.changed()
    await watched.watch.setPaths([file], readSince)
    await nothingMore(watched, 1, t)
  })

  await t.test('says nothing after `close`', async (t) => {
    const watched = await watchOneFile(t)
    await writeFile(watched.file, 'two')
    watched.watch.close()
    await nothingMore(watched, 0, t)
  })
})
