import t from 'tap'
import { goesRound, hopsOf, maxHops, ownViaOf } from '../../src/wire/via.ts'

const own = ownViaOf('0123456789abcdef')
const other = 'ringfence-fedcba9876543210'

const cases: readonly {
  readonly note: string
  readonly given: readonly string[]
  readonly want: readonly string[]
}[] = [
  { note: 'nothing', given: ['Host', 'a'], want: [] },
  { note: 'ours', given: ['Via', own.value], want: [own.pseudonym] },
  { note: 'any letter case of the field', given: ['VIA', own.value], want: [own.pseudonym] },
  {
    note: 'several in one value',
    given: ['Via', `1.0 fred, 1.1 ${other} (x),HTTP/2.0\t${own.pseudonym}`],
    want: [other, own.pseudonym],
  },
  {
    note: 'several values',
    given: ['via', `1.1 ${other}`, 'a', 'b', 'Via', own.value],
    want: [other, own.pseudonym],
  },
  { note: 'others', given: ['Via', '1.1 ringfence, 1.1 ringfence-x, 1.1 nginx, ,'], want: [] },
  { note: 'a longer name', given: ['Via', `1.1 ${own.pseudonym}0, 1.1 x${other}`], want: [] },
  { note: 'a name alone', given: ['Via', own.pseudonym], want: [] },
]

void t.test('hopsOf: the listeners of ours that a message has passed', (t) => {
  for (const { note, given, want } of cases) t.same(hopsOf(given), want, note)
  t.end()
})

void t.test('goesRound: this listener again, or too many', (t) => {
  t.equal(goesRound([], own), false)
  t.equal(goesRound([other], own), false)
  t.equal(goesRound([other, own.pseudonym], own), true)
  t.equal(goesRound(Array<string>(maxHops - 1).fill(other), own), false)
  t.equal(goesRound(Array<string>(maxHops).fill(other), own), true)
  t.end()
})

void t.test('ownViaOf: one name in each of its forms', (t) => {
  t.same(own, {
    pseudonym: 'ringfence-0123456789abcdef',
    value: '1.1 ringfence-0123456789abcdef',
    line: 'Via: 1.1 ringfence-0123456789abcdef\r\n',
  })
  t.end()
})
