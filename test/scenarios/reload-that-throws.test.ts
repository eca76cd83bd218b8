import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { startOrigin } from '../support/origin.ts'
import { eventually, startInProcess } from '../support/ringfence.ts'
import { writeShop } from '../support/shop.ts'

/** More than is read and compiled on the thread that serves. */
const large = `# ${'x'.repeat(20_000)}\n`

void t.test('a reload that throws is one that failed, and files go on being watched', async (t) => {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const shop = await writeShop(t, { backendPort: origin.port })
  const instance = await startInProcess(t, shop)

  // When there is no memory for the spare arena
  const { SharedArrayBuffer: real } = globalThis
  t.teardown(() => Object.assign(globalThis, { SharedArrayBuffer: real }))
  Object.assign(globalThis, {
    SharedArrayBuffer: class {
      constructor() {
        throw new RangeError('no memory')
      }
    },
  })
  await shop.write('perimeters/more.yaml', large)
  const { lastProblems } = await eventually(
    () => instance.running.status(),
    ({ reloadFailures }) => reloadFailures > 0,
  )
  t.match(lastProblems, [/internal error/])
  Object.assign(globalThis, { SharedArrayBuffer: real })
  const { reloads } = instance.running.status()

  // Then a perimeter that changes afterwards is seen, and nobody has to say so
  await rm(join(shop.folder, 'perimeters/more.yaml'))
  await shop.setRules({ office: false })
  await eventually(
    () => instance.running.status(),
    (status) => status.reloads > reloads,
  )
  t.equal(instance.running.status().lastReloadFailed, false)
})
