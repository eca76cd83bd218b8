import t from 'tap'
import { duplexPair } from 'node:stream'
import { type Connection, endTurn, takeTurn, type Turn } from '../../src/inbound/connection.ts'

function connectionOf(): Connection {
  const [stream] = duplexPair()
  return {
    stream,
    isSecure: false,
    delivery: undefined,
    peer: undefined,
    peerPort: undefined,
    proxied: undefined,
    certificate: undefined,
    isTooMany: false,
    hasSpoken: false,
    isDeaf: false,
    isClosing: false,
    ignored: 0,
    hasUnread: false,
    current: undefined,
    waiting: [],
    afterLast: undefined,
  }
}

function turnsOf(started: number[]): (index: number) => Turn {
  return (index) => ({
    start: () => started.push(index),
    breakOff: () => false,
    resume: () => {},
    cutOff: () => {},
  })
}

void t.test('turns are taken one after the other, in order', async (t) => {
  const connection = connectionOf()
  const started: number[] = []
  const turn = turnsOf(started)
  for (const index of [1, 2, 3]) t.equal(takeTurn(connection, turn(index)), true)
  t.strictSame(started, [1])
  endTurn(connection)
  t.strictSame(started, [1, 2])
  endTurn(connection)
  endTurn(connection)
  t.strictSame(started, [1, 2, 3])
  t.equal(takeTurn(connection, turn(4)), true)
  t.strictSame(started, [1, 2, 3, 4])
})

void t.test('so many may wait and no more', async (t) => {
  const connection = connectionOf()
  const turn = turnsOf([])
  const taken = Array.from({ length: 35 }, (_, index) => takeTurn(connection, turn(index)))
  t.equal(taken.filter(Boolean).length, 33)
})

void t.test('nobody starts on a connection that is closing or gone', async (t) => {
  for (const end of [
    (connection: Connection) => {
      connection.isClosing = true
    },
    (connection: Connection) => connection.stream.destroy(),
  ]) {
    const connection = connectionOf()
    const started: number[] = []
    const turn = turnsOf(started)
    takeTurn(connection, turn(1))
    takeTurn(connection, turn(2))
    end(connection)
    endTurn(connection)
    t.strictSame(started, [1])
  }
})

void t.test('what is left to say is said once, behind the last', async (t) => {
  const connection = connectionOf()
  const started: number[] = []
  const turn = turnsOf(started)
  let said = 0
  takeTurn(connection, turn(1))
  takeTurn(connection, turn(2))
  connection.afterLast = () => said++
  endTurn(connection)
  t.equal(said, 0)
  endTurn(connection)
  t.equal(said, 1)
  endTurn(connection)
  t.equal(said, 1)
})
