import { spawnSync } from 'node:child_process'
import t from 'tap'
import { createFaults } from '../../src/compose/faults.ts'
import { collectLog } from '../support/ringfence.ts'

void t.test('createFaults counts and logs', (t) => {
  const log = collectLog()
  const faults = createFaults(log)
  faults.report(new Error('first'))
  faults.report('second')
  t.equal(faults.count, 2)
  t.match(log.lines, [{ level: 'error', text: /first[^]*bug: / }, { level: 'error' }])
  t.end()
})

void t.test('createFaults survives a log that fails', (t) => {
  const faults = createFaults({
    ...collectLog(),
    error: () => {
      throw new Error('no log')
    },
  })
  faults.report(new Error('first'))
  t.equal(faults.count, 1)
  t.end()
})

void t.test('keepAlive keeps a process through what nobody handled', (t) => {
  const module = new URL('../../src/compose/faults.ts', import.meta.url).href
  const script = `
    import { createFaults, keepAlive } from '${module}'
    const nothing = () => undefined
    const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
    const faults = createFaults(log)
    keepAlive(faults)
    setTimeout(() => { throw new Error('thrown') }, 1)
    setTimeout(() => { void Promise.reject(new Error('rejected')) }, 2)
    setTimeout(() => console.log(faults.count), 50)
  `
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script],
    { encoding: 'utf8' },
  )
  t.strictSame([status, stdout, stderr], [0, '2\n', ''])
  t.end()
})
