import { startAnswerCheck } from './compare-answers.ts'
import { makeAuthority, startAuthorityCheck } from './compare-authorities.ts'
import { makeDocument, startDocumentCheck } from './compare-documents.ts'
import { startHelloCheck } from './compare-hellos.ts'
import { makeProxyHeader, startProxyHeaderCheck } from './compare-proxy-headers.ts'
import { type Check, startRequestCheck, type Teardown } from './compare-requests.ts'
import { Dice, makeAnswer, makeRequests } from './grammar.ts'
import { makeHello } from './hello-grammar.ts'
import { makeToken, startTokenCheck } from './compare-tokens.ts'

export const kinds = [
  'request',
  'answer',
  'hello',
  'token',
  'authority',
  'proxy-header',
  'document',
] as const

export type Kind = (typeof kinds)[number]

export interface Find {
  readonly kind: Kind
  /** Latin-1. */
  readonly bytes: string
  readonly problem: string
}

const atOnce = 16

/** No more than that: the first few say it all. */
const maxFinds = 5

const makers: Readonly<Record<Kind, (dice: Dice) => string>> = {
  request: makeRequests,
  answer: makeAnswer,
  hello: makeHello,
  token: makeToken,
  authority: makeAuthority,
  'proxy-header': makeProxyHeader,
  document: makeDocument,
}

/** All checks, ready to be given bytes. */
export async function startChecks(t: Teardown): Promise<Readonly<Record<Kind, Check>>> {
  return {
    request: await startRequestCheck(t),
    answer: await startAnswerCheck(t),
    hello: startHelloCheck(),
    token: startTokenCheck(),
    authority: startAuthorityCheck(),
    'proxy-header': startProxyHeaderCheck(),
    document: await startDocumentCheck(t),
  }
}

/** What came of a try that is repeated: a machine that is busy lets deadlines pass that nothing is to blame for. */
export interface Outcome {
  readonly problem: string | undefined
  /** Again and again. Not confirmed: at least once it was not there. */
  readonly isConfirmed: boolean
  readonly isWhole: boolean
}

const times = 3

export async function confirm(
  check: Check,
  bytes: string,
  cuts: readonly number[] = [],
): Promise<Outcome> {
  let problem: string | undefined
  for (let time = 0; time < times; time++) {
    const trial = { cuts, isWhole: false }
    const found = await check(bytes, trial)
    if (found === undefined) return { problem, isConfirmed: false, isWhole: trial.isWhole }
    problem = found
  }
  return { problem, isConfirmed: true, isWhole: false }
}

const mostCuts = 4

/** One write, as most clients do, or a few. */
function cutsOf(dice: Dice, bytes: string): readonly number[] {
  const count = dice.isRare(2) ? dice.roll(mostCuts + 1) : 0
  const cuts = Array.from({ length: count }, () => dice.roll(bytes.length + 1))
  return cuts.toSorted((one, other) => one - other)
}

/** How much of what is tried must be understood and passed on, of a hundred: less, and hardly anything was compared. */
const leastWhole: Readonly<Record<Kind, number>> = {
  request: 5,
  answer: 5,
  hello: 5,
  token: 2,
  authority: 3,
  'proxy-header': 5,
  document: 2,
}

/** Before there are so many, the share says nothing. */
const enough = 100

export interface Fuzzed {
  readonly tried: number
  readonly finds: readonly Find[]
  /** Seen, and not again: perhaps only a busy machine, perhaps a race. */
  readonly unconfirmed: readonly Find[]
  /** A sentence each: what says that the rest may be worth nothing. */
  readonly doubts: readonly string[]
  /** How many were understood and passed on. */
  readonly whole: Readonly<Record<Kind, number>>
}

function noneOfEach(): Record<Kind, number> {
  return {
    request: 0,
    answer: 0,
    hello: 0,
    token: 0,
    authority: 0,
    'proxy-header': 0,
    document: 0,
  }
}

/** Tries what the seed gives for so long, or until there is enough to look at. */
export async function fuzz(
  checks: Readonly<Record<Kind, Check>>,
  { seed, seconds }: { readonly seed: number; readonly seconds: number },
): Promise<Fuzzed> {
  const finds: Find[] = []
  const unconfirmed: Find[] = []
  const whole = noneOfEach()
  const counts = noneOfEach()
  const until = performance.now() + seconds * 1000
  let tried = 0
  const work = async (): Promise<void> => {
    while (performance.now() < until && finds.length < maxFinds) {
      const number = tried++
      const dice = new Dice(Math.imul(seed, 0x9e3779b1) + number)
      const kind = kinds[number % kinds.length] ?? 'request'
      const bytes = makers[kind](dice)
      const outcome = await confirm(checks[kind], bytes, cutsOf(dice, bytes))
      counts[kind]++
      if (outcome.isWhole) whole[kind]++
      const { problem, isConfirmed } = outcome
      if (problem !== undefined) (isConfirmed ? finds : unconfirmed).push({ kind, bytes, problem })
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  const doubts = kinds.flatMap((kind) =>
    counts[kind] >= enough && 100 * whole[kind] < leastWhole[kind] * counts[kind]
      ? [`of ${counts[kind]} (${kind}), only ${whole[kind]} were understood and passed on`]
      : [],
  )
  return { tried, finds, unconfirmed, doubts, whole }
}
