import t from 'tap'
import { LargeBuffers } from '../../src/transport/large-buffers.ts'
import { KiB } from '../../src/units.ts'

void t.test('LargeBuffers', async (t) => {
  await t.test('makes no more than its limit, and lends again what comes back', async (t) => {
    const buffers = new LargeBuffers(2)
    const [one, two] = [buffers.lease(), buffers.lease()]
    if (one === undefined || two === undefined) throw new Error('none was lent')
    t.not(one, two)
    t.equal(one.length, 256 * KiB)
    t.equal(buffers.leased, 2)
    t.equal(buffers.lease(), undefined)
    t.equal(buffers.leased, 2)
    buffers.giveBack(one)
    t.equal(buffers.leased, 1)
    t.equal(buffers.lease(), one)
  })

  await t.test('lends first what came back last', async (t) => {
    const buffers = new LargeBuffers(2)
    const lent = [buffers.lease(), buffers.lease()]
    for (const buffer of lent) if (buffer !== undefined) buffers.giveBack(buffer)
    t.equal(buffers.lease(), lent[1])
  })
})
