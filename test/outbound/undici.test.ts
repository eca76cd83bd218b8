import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import type { Answering } from '../../src/outbound/answering.ts'
import { maySendAgain } from '../../src/outbound/send-again.ts'
import { openConnection, type OriginConnection } from '../../src/outbound/undici.ts'
import type { FailureReason } from '../../src/reasons.ts'
import { startRawOrigin } from '../support/origin.ts'

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

async function open(port: number): Promise<OriginConnection> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  await once(socket, 'connect')
  return openConnection(socket, { headerBytes: 16_384 })
}

function answering(done: (outcome: 'end' | FailureReason) => void): Answering {
  return {
    interim: () => undefined,
    head: () => undefined,
    data: () => true,
    end: () => done('end'),
    failed: (reason) => done(reason),
  }
}

const post = { method: 'POST', path: '/', headers: ['host', 'a.example'], body: undefined }

void t.test(
  'OriginConnection carries nothing once its socket is gone, and never another',
  async (t) => {
    const origin = await startRawOrigin({ onData: (socket) => void socket.write(ok) })
    t.teardown(() => origin.close())
    const connection = await open(origin.port)
    let gone = 0
    connection.onGone = () => gone++
    const send = async (): Promise<string> =>
      new Promise((resolve) => void connection.send(post, answering(resolve)))
    t.equal(await send(), 'end')
    t.equal(connection.hasWritten, true)
    t.equal(await send(), 'end')
    t.equal(connection.isGone, false)
    for (const socket of origin.sockets) socket.destroy()
    while (gone === 0) await new Promise((resolve) => setImmediate(resolve))
    t.equal(connection.isGone, true)
    t.equal(await send(), 'backend-reset')
    t.equal(connection.hasWritten, false)
    t.ok(maySendAgain(post, { reason: 'backend-reset', connection }), 'nobody has seen it')
    t.equal(origin.accepted(), 1)
    connection.destroy()
    t.equal(gone, 1)
  },
)

void t.test('OriginConnection says nothing after an abort', async (t) => {
  const arrived = Promise.withResolvers<void>()
  const origin = await startRawOrigin({ onData: () => arrived.resolve() })
  t.teardown(() => origin.close())
  const connection = await open(origin.port)
  const said: string[] = []
  const sent = connection.send(
    post,
    answering((outcome) => void said.push(outcome)),
  )
  await arrived.promise
  sent.abort()
  for (const socket of origin.sockets) await once(socket, 'close')
  t.same(said, [])
  t.equal(connection.isGone, true)
})

void t.test('OriginConnection refuses what cannot be sent, without a throw', async (t) => {
  const origin = await startRawOrigin({})
  t.teardown(() => origin.close())
  const connection = await open(origin.port)
  const outcome = await new Promise((resolve) => {
    connection.send({ ...post, headers: ['upgrade', 'x'] }, answering(resolve))
  })
  t.equal(outcome, 'backend-invalid')
  connection.destroy()
})

void t.test('maySendAgain is for resets of used connections only', async (t) => {
  const origin = await startRawOrigin({ onData: (socket) => void socket.destroy() })
  t.teardown(() => origin.close())
  const connection = await open(origin.port)
  const outcome = await new Promise((resolve) => {
    connection.send({ ...post, method: 'GET' }, answering(resolve))
  })
  t.equal(outcome, 'backend-reset')
  const get = { ...post, method: 'GET' }
  t.notOk(maySendAgain(get, { reason: 'backend-reset', connection }), 'it was a fresh one')
  t.notOk(maySendAgain(get, { reason: 'backend-reset', connection: undefined }))
  t.notOk(maySendAgain(get, { reason: 'backend-invalid', connection }))
})

void t.test('maySendAgain is for what nobody has begun to answer', async (t) => {
  for (const begun of ['H', 'HTTP/1.1 200 OK\r\nX', 'HTTP/1.1 100 Continue\r\n\r\n']) {
    let count = 0
    const origin = await startRawOrigin({
      onData: (socket) => void (++count === 1 ? socket.write(ok) : socket.end(begun)),
    })
    t.teardown(() => origin.close())
    const connection = await open(origin.port)
    const get = { ...post, method: 'GET' }
    const send = async (): Promise<string> =>
      new Promise((resolve) => void connection.send(get, answering(resolve)))
    t.equal(await send(), 'end')
    t.equal(await send(), 'backend-reset')
    t.notOk(maySendAgain(get, { reason: 'backend-reset', connection }), JSON.stringify(begun))
  }
})
