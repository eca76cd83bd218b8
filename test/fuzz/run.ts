import { startAnswerCheck } from './compare-answers.ts'
import { makeAuthority, startAuthorityCheck } from './compare-authorities.ts'
import { makeDocument, startDocumentCheck } from './compare-documents.ts'
import { startHelloCheck } from './compare-hellos.ts'
import { makeProxyHeader, startProxyHeaderCheck } from './compare-proxy-headers.ts'
import { type Check, startRequestCheck, type Teardown } from './compare-requests.ts'
import { makeToken, startTokenCheck } from './compare-tokens.ts'
import { Dice, makeAnswer, makeRequests } from './grammar.ts'
import { makeHello } from './hello-grammar.ts'

export const kinds = [
  'request',
  'answer',
  'hello',
  'authority',
  'proxy-header',
  'document',
  'token',
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
  authority: makeAuthority,
  'proxy-header': makeProxyHeader,
  document: makeDocument,
  token: makeToken,
}

/** All checks, ready to be given bytes. */
export async function startChecks(t: Teardown): Promise<Readonly<Record<Kind, Check>>> {
  return {
    request: await startRequestCheck(t),
    answer: await startAnswerCheck(t),
    hello: startHelloCheck(),
    authority: startAuthorityCheck(),
    'proxy-header': startProxyHeaderCheck(),
    document: await startDocumentCheck(t),
    token: startTokenCheck(),
  }
}

/** What is wrong with the bytes, again and again: a machine that is busy lets deadlines pass that nothing is to blame for. */
export async function confirm(check: Check, bytes: string): Promise<string | undefined> {
  let problem: string | undefined
  for (let time = 0; time < 3; time++) {
    problem = await check(bytes)
    if (problem === undefined) return undefined
  }
  return problem
}

/** Tries what the seed gives for so long, or until there is enough to look at. */
export async function fuzz(
  checks: Readonly<Record<Kind, Check>>,
  { seed, seconds }: { readonly seed: number; readonly seconds: number },
): Promise<{ readonly tried: number; readonly finds: readonly Find[] }> {
  const finds: Find[] = []
  const until = performance.now() + seconds * 1000
  let tried = 0
  const work = async (): Promise<void> => {
    while (performance.now() < until && finds.length < maxFinds) {
      const number = tried++
      const dice = new Dice(Math.imul(seed, 0x9e3779b1) + number)
      const kind = kinds[number % kinds.length] ?? 'request'
      const bytes = makers[kind](dice)
      const problem = await confirm(checks[kind], bytes)
      if (problem !== undefined) finds.push({ kind, bytes, problem })
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return { tried, finds }
}
