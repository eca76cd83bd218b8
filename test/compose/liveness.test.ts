import t from 'tap'
import { createLiveness, silentLooks } from '../../src/compose/liveness.ts'

/** What was said after each look, one digit of beats for each; `-` for a thread that does not serve. */
function lookAt(beats: readonly string[]): string {
  let at = 0
  const said: string[] = []
  const liveness = createLiveness({
    beats: () => [1, beats[at] === '-' ? undefined : Number(beats[at])],
    onSilent: (index) => {
      if (index === 1) said.push(`${at}`)
    },
  })
  for (; at < beats.length; at++) liveness.look()
  return said.join(' ')
}

const still = (looks: number): readonly string[] => Array.from({ length: looks }, () => '5')

void t.test('createLiveness: a thread whose count stands still is silent, once', async (t) => {
  for (const { note, beats, said } of [
    { note: 'one that beats', beats: Array.from({ length: 40 }, (_, at) => `${at}`), said: '' },
    { note: 'one look too few', beats: still(silentLooks), said: '' },
    { note: 'as many as it takes', beats: still(silentLooks + 1), said: `${silentLooks}` },
    { note: 'not again and again', beats: still(5 * silentLooks), said: `${silentLooks}` },
    {
      note: 'it beats again in time',
      beats: [...still(silentLooks), '6', ...still(silentLooks)],
      said: '',
    },
    {
      note: 'another takes its place with the same count',
      beats: [...still(silentLooks), '-', ...still(silentLooks)],
      said: '',
    },
    { note: 'nobody serves there', beats: Array.from({ length: 40 }, () => '-'), said: '' },
  ]) {
    t.equal(lookAt(beats), said, note)
  }
})

void t.test('createLiveness: it is said of the thread that is silent', async (t) => {
  const silent: number[] = []
  let beat = 0
  const liveness = createLiveness({
    beats: () => [beat++, 7, beat],
    onSilent: (index) => silent.push(index),
  })
  for (let looks = 0; looks <= silentLooks; looks++) liveness.look()
  t.same(silent, [1])
})
