import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request, type RequestOptions } from 'node:http'
import type t from 'tap'
import { startOrigin } from '../support/origin.ts'
import { outsideName, writeLargeShop } from './large-shop.ts'
import type { ReloadReport } from './reload-child.ts'

type Test = Pick<typeof t, 'teardown'>

export interface LoadedReloads {
  /** Of a while under the same load without a reload: what the machine does to anybody. */
  readonly calm: ReloadReport
  readonly reports: readonly ReloadReport[]
  /** How often each answer came, `200` or what was wrong, over all requests in both directions. */
  readonly answers: ReadonlyMap<string, number>
}

const clientsPerDirection = 4

/**
 * Reloads a policy of so many prefixes and as many names again and again, while clients on kept connections ask in both
 * directions without a pause.
 */
export async function reloadUnderLoad(
  t: Test,
  plan: {
    readonly size: number
    readonly reloads: number
    /** How long the event loop is watched after each, default 100 ms. */
    readonly settleMs?: number
  },
  onReport: (report: ReloadReport) => void = () => undefined,
): Promise<LoadedReloads> {
  const origin = await startOrigin()
  t.teardown(() => origin.close())
  const shop = await writeLargeShop(t, { size: plan.size, originPort: origin.port })
  const child = fork(new URL('reload-child.ts', import.meta.url), [
    shop.configFile,
    String(plan.settleMs ?? 100),
  ])
  t.teardown(() => child.kill('SIGKILL'))
  const [hello] = (await once(child, 'message')) as [{ ports: (readonly [string, number])[] }]
  const ports = new Map(hello.ports)
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const inbound = { port: ports.get('public'), path: '/', headers: { host: 'orders.test' } }
  const authority = `${outsideName}:${origin.port}`
  const outbound = {
    port: ports.get('egress'),
    path: `http://${authority}/`,
    headers: { host: authority },
  }
  const answers = new Map<string, number>()
  let isOver = false
  const load = [inbound, outbound].flatMap((options) =>
    Array.from({ length: clientsPerDirection }, async () => {
      while (!isOver) {
        const answer = await ask({ agent, host: '127.0.0.1', ...options })
        answers.set(answer, (answers.get(answer) ?? 0) + 1)
      }
    }),
  )
  // What is loaded at the first request is no part of a reload.
  while ((answers.get('200') ?? 0) < 500) await new Promise((resolve) => setTimeout(resolve, 50))
  const tell = async (what: 'reload' | 'watch'): Promise<ReloadReport> => {
    const answer = once(child, 'message')
    child.send(what)
    const [report] = (await answer) as [ReloadReport]
    onReport(report)
    return report
  }
  const calm = await tell('watch')
  const reports: ReloadReport[] = []
  for (let number = 0; number < plan.reloads; number++) {
    await shop.mark(String(number))
    reports.push(await tell('reload'))
  }
  isOver = true
  await Promise.all(load)
  return { calm, reports, answers }
}

async function ask(options: RequestOptions): Promise<string> {
  return new Promise((resolve) => {
    const outgoing = request(options, (response) => {
      response.on('error', (error) => resolve(error.message))
      response.on('end', () => resolve(String(response.statusCode)))
      response.resume()
    })
    outgoing.on('error', (error) => resolve(error.message))
    outgoing.end()
  })
}
