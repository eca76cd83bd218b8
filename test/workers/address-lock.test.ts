import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { type AddressLocks, lockAddress, lockAddresses } from '../../src/workers/address-lock.ts'

type Test = Pick<typeof t, 'teardown'>

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

function held(t: Test, locks: AddressLocks): AddressLocks {
  t.teardown(() => locks.release())
  return locks
}

void t.test('lockAddresses: one holder for an address, until it is released', async (t) => {
  const address = { host: '127.0.0.1', port: await freePort() }
  const first = held(t, await lockAddresses([address]))
  first.started()
  await t.rejects(lockAddresses([address]), {
    code: 'RF_LISTEN',
    message: /`127\.0\.0\.1:\d+`: another instance serves there/,
  })
  await t.rejects(lockAddress(address), { code: 'RF_LISTEN' })
  first.release()
  held(t, await lockAddresses([address]))
})

void t.test(
  'lockAddresses: refuses where anybody listens, at an address that covers it too',
  async (t) => {
    for (const { note, host, asked } of [
      { note: 'the same', host: '127.0.0.1', asked: '127.0.0.1' },
      { note: 'every address', host: '0.0.0.0', asked: '127.0.0.1' },
      { note: 'one of every address', host: '127.0.0.1', asked: '0.0.0.0' },
    ]) {
      const server = createServer()
      // As another instance would.
      server.listen({ host, port: 0, reusePort: true })
      await once(server, 'listening')
      const bound = server.address()
      if (bound === null || typeof bound === 'string') throw new Error('no port')
      await t.rejects(
        lockAddresses([{ host: asked, port: bound.port }]),
        { code: 'RF_LISTEN', message: /something else listens there/ },
        note,
      )
      server.close()
      // Nothing is left of the attempt.
      await once(server, 'close')
      held(t, await lockAddresses([{ host: asked, port: bound.port }]))
    }
  },
)

void t.test(
  'lockAddresses: who starts on the same port waits until the other has started',
  async (t) => {
    const port = await freePort()
    const first = held(t, await lockAddresses([{ host: '127.0.0.1', port }]))
    let isSecondThrough = false
    const second = lockAddresses([{ host: '127.0.0.2', port }]).then((locks) => {
      isSecondThrough = true
      return locks
    })
    await new Promise((resolve) => setTimeout(resolve, 60))
    t.equal(isSecondThrough, false)
    first.started()
    held(t, await second)
  },
)

void t.test('lockAddresses: of several, none is held where one cannot be', async (t) => {
  const [one, other] = [await freePort(), await freePort()]
  const taken = held(t, await lockAddress({ host: '127.0.0.1', port: other }))
  const both = [one, other].map((port) => ({ host: '127.0.0.1', port }))
  await t.rejects(lockAddresses(both), { code: 'RF_LISTEN' })
  taken.release()
  held(t, await lockAddresses(both))
})

void t.test('lockAddress: a long name is locked as such', async (t) => {
  const host = `${'a'.repeat(60)}.${'b'.repeat(60)}.test`
  held(t, await lockAddress({ host, port: 1 }))
  await t.rejects(lockAddress({ host, port: 1 }), { code: 'RF_LISTEN' })
  held(t, await lockAddress({ host: `c${host}`, port: 1 }))
})

void t.test('lockAddress: ends with the thread that holds it, however that ends', async (t) => {
  const address = { host: '127.0.0.1', port: await freePort() }
  const module = fileURLToPath(new URL('../../src/workers/address-lock.ts', import.meta.url))
  const holder = new Worker(
    `import(${JSON.stringify(module)}).then(async ({ lockAddress }) => {
       await lockAddress(${JSON.stringify(address)})
       require('node:worker_threads').parentPort.postMessage('held')
       setInterval(() => {}, 1000)
     })`,
    { eval: true },
  )
  await once(holder, 'message')
  await t.rejects(lockAddress(address), { code: 'RF_LISTEN' })
  await holder.terminate()
  held(t, await lockAddress(address))
})
