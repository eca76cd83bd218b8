import { setTimeout as delay } from 'node:timers/promises'
import { seconds } from '../../units.ts'
import { decisionsIn, type Observation, type Story } from '../check.ts'
import { send } from '../web-client.ts'
import type { World } from '../world.ts'

/** What is left afterwards: the access log, the metrics, and what the attacker has. */

/** NSP's categories (NSP docs, diagnostic logs). */
const categoryCount = 13

const pollMs = 20

export const evidence: Story = {
  title: 'What is left',
  about:
    'One line for each decision, numbered without a gap, under every category that NSP has; and an empty drop.',
  checks: ({ world, log }) => [
    {
      tried: 'categories seen in the access log',
      expect: `all ${categoryCount}`,
      categories: [],
      act: async () => {
        const seen = new Set(log.lines.map(({ category }) => category).filter((one) => one !== ''))
        return observe(seen.size === categoryCount ? `all ${seen.size}` : `${seen.size}`)
      },
    },
    {
      tried: 'sequence numbers of its lines',
      expect: 'no gap',
      categories: [],
      act: async () => {
        const gap = log.lines.find(({ sequence }, index) => sequence !== index + 1)
        return observe(gap === undefined ? 'no gap' : `a gap before ${gap.sequence}`)
      },
    },
    {
      tried: 'decisions counted by the metrics',
      expect: 'as many as logged',
      categories: [],
      act: async () => {
        const counted = await readMetric(world, 'ringfence_decisions_total')
        const logged = decisionsIn(log.lines).length
        return observe(
          counted === logged ? 'as many as logged' : `${counted} counted, ${logged} logged`,
        )
      },
    },
    {
      tried: 'tunnels, streams and requests still open',
      expect: '0',
      categories: [],
      act: async () => observe(String(await untilNoneOpen(world))),
    },
    {
      tried: "requests that reached the attacker's drop",
      expect: '0',
      categories: [],
      act: async () => observe(String(await world.services.drop.received())),
    },
  ],
}

/** Ends are seen a moment later than their clients see them; what lingers on purpose does so for five seconds. */
async function untilNoneOpen(world: World): Promise<number> {
  const deadline = performance.now() + seconds(6)
  for (;;) {
    const open = await readMetric(world, 'ringfence_judged_open')
    if (open === 0 || performance.now() > deadline) return open
    await delay(pollMs)
  }
}

async function readMetric(world: World, name: string): Promise<number> {
  const answer = await send({ url: `http://127.0.0.1:${world.ports.health}/metrics` })
  return sumOf(answer.body, name)
}

/** Adds up all samples of a counter in Prometheus' text format. */
export function sumOf(exposition: string, name: string): number {
  return exposition
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)))
    .reduce((sum, value) => sum + value, 0)
}

function observe(got: string): Observation {
  return { kind: 'observation', got }
}
