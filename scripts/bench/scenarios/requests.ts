import { type Scenario, startCandidates } from '../bench.ts'
import { startBackEnd } from '../back-end.ts'
import { backendHost, type Candidate, type Purpose } from '../candidates/candidate.ts'
import type { KeepAliveOrder } from '../load/keep-alive.ts'
import type { LoadResult } from '../load-result.ts'
import { type Contestant, runRounds } from '../run-rounds.ts'
import { runLoad } from './run-load.ts'

/** Requests for 1 KiB over connections that are kept: the steady state of a proxy. */

const connections = 64
const program = 'keep-alive'

export const reverse = createScenario({
  name: 'reverse',
  title: `reverse proxy: GET of 1 KiB over ${connections} kept connections`,
  purpose: 'reverse',
})

export const reverseTls = createScenario({
  name: 'tls',
  title: `reverse proxy that terminates TLS (TLS_AES_128_GCM_SHA256): GET of 1 KiB over ${connections} kept connections`,
  purpose: 'reverse-tls',
})

export const forward = createScenario({
  name: 'forward',
  title: `forward proxy: GET of 1 KiB in absolute form over ${connections} kept connections`,
  purpose: 'forward',
})

function createScenario(setup: {
  readonly name: string
  readonly title: string
  readonly purpose: Purpose
}): Scenario {
  const { name, title, purpose } = setup
  return {
    name,
    title,
    async run(bench) {
      const backEnd = await startBackEnd(bench)
      const started = await startCandidates(bench, { purpose, target: backEnd.port })
      const contestants = started.map(({ candidate, port, pid }): Contestant => {
        const head = requestOf(candidate, { purpose, target: backEnd.port })
        const order: Omit<KeepAliveOrder, 'seconds'> = {
          port,
          head,
          connections,
          tls: purpose === 'reverse-tls',
        }
        return {
          name: candidate.name,
          pid,
          load: (seconds) => runLoad<LoadResult>(bench, { program, order: { ...order, seconds } }),
        }
      })
      return runRounds(bench, { scenario: name, unit: 'µs/request', contestants })
    },
  }
}

/** The request as it goes to this candidate. */
export function requestOf(
  candidate: Candidate,
  { purpose, target }: { readonly purpose: Purpose; readonly target: number },
): string {
  const rest = 'User-Agent: bench\r\nAccept: */*\r\n\r\n'
  if (purpose !== 'forward') return `GET /orders/1 HTTP/1.1\r\nHost: ${backendHost}\r\n${rest}`
  const authority = `${candidate.destination}:${target}`
  return `GET http://${authority}/orders/1 HTTP/1.1\r\nHost: ${authority}\r\n${rest}`
}
