import t from 'tap'
import type { Check } from './compare-requests.ts'
import { fuzz } from './run.ts'

const agree: Check = (_bytes, trial) => {
  trial.isWhole = true
  return Promise.resolve(undefined)
}

/** A moment, in which such checks are tried by the thousand. */
const run = { seed: 1, seconds: 0.6 }

async function fuzzRequests(request: Check) {
  // The others give way, so that it is not their turn for long.
  const later: Check = async (bytes, trial) => {
    await new Promise(setImmediate)
    return agree(bytes, trial)
  }
  return fuzz(
    {
      request,
      answer: later,
      hello: later,
      token: later,
      authority: later,
      'proxy-header': later,
      document: later,
    },
    run,
  )
}

void t.test('fuzz: what nobody disagrees about is no find', async (t) => {
  const { finds, unconfirmed, doubts, whole } = await fuzzRequests(agree)
  t.strictSame([finds, unconfirmed, doubts], [[], [], []])
  t.ok(whole.request > 20)
})

void t.test('fuzz: where nothing is passed on, nothing was compared', async (t) => {
  const { finds, doubts } = await fuzzRequests(() => Promise.resolve(undefined))
  t.strictSame(finds, [])
  t.equal(doubts.length, 1)
  t.match(doubts[0], /\(request\), only 0 were understood and passed on/)
})

void t.test('fuzz: what shows each time is a find, what does not is told too', async (t) => {
  const always = await fuzzRequests(() => Promise.resolve('differs'))
  t.ok(always.finds.length > 0)
  t.match(always.finds[0], { kind: 'request', problem: 'differs' })
  const seen = new Set<string>()
  const once = await fuzzRequests((bytes, trial) => {
    if (seen.has(bytes)) return agree(bytes, trial)
    seen.add(bytes)
    return Promise.resolve('differs')
  })
  t.strictSame(once.finds, [])
  t.match(once.unconfirmed[0], { kind: 'request', problem: 'differs' })
})

void t.test('fuzz: bytes come in one write, or in several', async (t) => {
  const counts = new Set<number>()
  await fuzzRequests((bytes, trial) => {
    counts.add(trial.cuts.length)
    t.ok(trial.cuts.every((cut, at) => cut >= (trial.cuts[at - 1] ?? 0) && cut <= bytes.length))
    return agree(bytes, trial)
  })
  t.ok(counts.has(0) && counts.has(3))
})
