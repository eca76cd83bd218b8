import t from 'tap'
import { NameTurns } from '../../src/transport/name-turns.ts'
import { hostname } from '../support/settings-parts.ts'

/** Turns of which `begun` lists the names that have had theirs, in order. */
function listing(options: { atOnce: number; waiting: number }) {
  const turns = new NameTurns(options)
  const begun: string[] = []
  const enter = (name: string) => turns.enter(hostname(name), () => void begun.push(name))
  return { enter, begun }
}

void t.test('NameTurns: first come, first served', (t) => {
  const { enter, begun } = listing({ atOnce: 2, waiting: 8 })
  const [a, b, c, d] = ['a.one', 'b.two', 'c.three', 'd.four'].map(enter)
  t.same(begun, ['a.one', 'b.two'])
  b?.leave()
  b?.leave()
  t.same(begun, ['a.one', 'b.two', 'c.three'], 'once for each')
  d?.leave()
  a?.leave()
  c?.leave()
  t.same(begun, ['a.one', 'b.two', 'c.three'], 'who gave up is not called')
  enter('e.five')
  t.equal(begun.at(-1), 'e.five')
  t.end()
})

void t.test('NameTurns: bounds those that wait', (t) => {
  const { enter } = listing({ atOnce: 1, waiting: 2 })
  const entered = ['a.one', 'b.two', 'c.three', 'd.four'].map(enter)
  t.same(
    entered.map((turn) => turn !== undefined),
    [true, true, true, false],
  )
  entered[1]?.leave()
  t.ok(enter('d.four'), 'there is room again')
  t.end()
})

void t.test('NameTurns: a flood of names under one domain keeps nobody else waiting', (t) => {
  const { enter, begun } = listing({ atOnce: 16, waiting: 32 })
  const flood = Array.from({ length: 100 }, (_, index) => enter(`n${index}.x.evil.example`))
  t.equal(begun.length, 2, 'an eighth has its turn')
  t.equal(flood.filter((turn) => turn !== undefined).length, 6, 'and an eighth waits')
  t.equal(enter('other.evil.example'), undefined, 'what is below the same domain is of the same')
  for (const name of ['a.good.test', 'evil.test', 'example', 'evil-example.test']) enter(name)
  t.same(begun.slice(2), ['a.good.test', 'evil.test', 'example', 'evil-example.test'])
  flood[0]?.leave()
  t.equal(begun.at(-1), 'n2.x.evil.example', 'its own go on in its own turns')
  t.end()
})

void t.test('NameTurns: nothing is kept of what has left', (t) => {
  const { enter, begun } = listing({ atOnce: 8, waiting: 8 })
  for (let round = 0; round < 3; round++) {
    const turns = Array.from({ length: 2 }, (_, index) => enter(`n${index}.one.example`))
    for (const turn of turns) turn?.leave()
  }
  t.equal(begun.length, 6, 'each round is served in full')
  t.end()
})
