import t from 'tap'
import { Cancellation } from '../../src/transport/cancellation.ts'

void t.test('Cancellation', async (t) => {
  await t.test('tells everybody who listens, once', async (t) => {
    const cancellation = new Cancellation()
    const told: string[] = []
    cancellation.addEventListener('abort', () => void told.push('one'))
    cancellation.addEventListener('abort', () => void told.push('two'))
    t.equal(cancellation.aborted, false)
    cancellation.abort()
    cancellation.abort()
    t.same(told, ['one', 'two'])
    t.equal(cancellation.aborted, true)
  })

  await t.test('nobody who listens no longer', async (t) => {
    const cancellation = new Cancellation()
    const listener = (): void => void t.fail('told')
    const other = (): void => void t.pass('told')
    cancellation.addEventListener('abort', other)
    cancellation.addEventListener('abort', listener)
    cancellation.removeEventListener('abort', listener)
    cancellation.removeEventListener('abort', listener)
    cancellation.abort()
  })

  await t.test('is told already when somebody hears of it', async (t) => {
    const cancellation = new Cancellation()
    cancellation.addEventListener('abort', () => t.equal(cancellation.aborted, true))
    cancellation.abort()
  })
})
