import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { seconds } from '../../units.ts'
import type { LogLine } from '../access-log.ts'
import type { Check, Observation, Stage, Story } from '../check.ts'
import { changeRules, writePolicy } from '../create-world.ts'
import { shopPerimeter, startRules } from '../documents.ts'
import { readReadiness } from '../readiness.ts'
import { fromOffice, fromStranger, hosts } from '../visits.ts'
import { openTunnel, openWebSocket, send, sendOver, type Opened } from '../web-client.ts'
import { readFrame, writeFrame } from '../web-socket.ts'
import type { World } from '../world.ts'

/** Streams that stay open while the policy changes under them. */

const allowedInbound = 'NspPublicInboundPerimeterRulesAllowed'
const allowedOutbound = 'NspPublicOutboundPerimeterRulesAllowed'

/** What is no longer allowed ends within this. */
const revocationMs = seconds(2)

export const changes: Story = {
  title: 'The policy changes while everything runs',
  about:
    'A saved file is in force a moment later. What is open is judged again: the tunnel whose rule is gone ends, all ' +
    'others go on. A file that cannot be used changes nothing.',
  checks: (stage) => {
    const { world } = stage
    const open = new OpenStreams()
    return [
      {
        tried: 'the office opens a WebSocket to orders',
        expect: '101 access-rule',
        categories: [allowedInbound],
        act: async () =>
          open.keep('webSocket', await openWebSocket(fromOffice(world, hosts.orders))),
      },
      {
        tried: 'orders opens a tunnel to the payments host',
        expect: '200 access-rule',
        categories: [allowedOutbound],
        act: async () => open.keep('payments', await tunnelTo(world, 'payments')),
      },
      {
        tried: 'orders opens a tunnel to the updates host',
        expect: '200 access-rule',
        categories: [allowedOutbound],
        act: async () => open.keep('updates', await tunnelTo(world, 'updates')),
      },
      {
        tried: 'the administrator saves a file with a typing error',
        expect: 'reload failed, still ready',
        categories: [],
        act: async () => saveBrokenFile(world),
      },
      {
        tried: 'the office reads a blob under the old policy',
        expect: '200 access-rule',
        categories: [allowedInbound],
        act: async () => send(fromOffice(world, hosts.orders)),
      },
      {
        tried: 'the administrator withdraws the rule payments',
        expect: 'closed: policy-revoked',
        categories: [],
        act: async () =>
          revoke(stage, {
            stream: open.get('payments'),
            change: async () => changeRules(world, { ...startRules, payments: false }),
          }),
      },
      {
        tried: 'orders opens that tunnel again',
        expect: '403 no-matching-rule',
        categories: ['NspPublicOutboundPerimeterRulesDenied'],
        act: async () => tunnelTo(world, 'payments'),
      },
      ...othersGoOn(open, world),
      {
        tried: 'the administrator withdraws the rule office',
        expect: 'closed: policy-revoked',
        categories: [],
        act: async () =>
          revoke(stage, {
            stream: open.get('webSocket'),
            change: async () =>
              changeRules(world, { office: false, payments: false, searchMode: 'Enforced' }),
          }),
      },
      {
        tried: 'a stranger searches, now that search is Enforced',
        expect: '403 no-matching-rule',
        categories: ['NspPublicInboundPerimeterRulesDenied'],
        act: async () => send(fromStranger(world, hosts.search)),
      },
    ]
  },
}

/** The streams that a later check needs. */
class OpenStreams {
  readonly #streams = new Map<string, Duplex>()

  keep(name: string, opened: Opened): Opened {
    if (opened.kind === 'open') this.#streams.set(name, opened.stream)
    return opened
  }

  get(name: string): Duplex {
    const stream = this.#streams.get(name)
    if (stream === undefined) throw new Error('it was never opened')
    return stream
  }
}

function othersGoOn(open: OpenStreams, world: World): readonly Check[] {
  return [
    {
      tried: 'the WebSocket goes on',
      expect: 'echo: still here',
      categories: [],
      act: async () => observe(`echo: ${await echo(open.get('webSocket'), 'still here')}`),
    },
    {
      tried: 'the tunnel to the updates host goes on',
      expect: '200',
      categories: [],
      act: async () =>
        sendOver(open.get('updates'), {
          url: `http://${hosts.updates}:${world.services.updates.port}/`,
        }),
    },
  ]
}

async function tunnelTo(world: World, name: 'payments' | 'updates'): Promise<Opened> {
  return openTunnel(world.ports.ordersEgress, `${hosts[name]}:${world.services[name].port}`)
}

async function saveBrokenFile(world: World): Promise<Observation> {
  const good = shopPerimeter(startRules)
  await writePolicy(world, good.replaceAll('Enforced', 'Enforcde'))
  const readiness = await readReadiness(world, (seen) => seen.lastReloadFailed)
  const reload = readiness.lastReloadFailed ? 'reload failed' : 'no reload failed'
  return observe(`${reload}, ${readiness.ready ? 'still ready' : 'not ready'}`)
}

/** Changes the policy and waits for the stream to end and for the line that tells why. */
async function revoke(
  { log }: Stage,
  withdrawal: { readonly stream: Duplex; readonly change: () => Promise<void> },
): Promise<Observation> {
  const { stream, change } = withdrawal
  const before = log.lines.length
  stream.resume()
  // However it ends: a reset is an end too.
  const closed = new Promise<string>((resolve) => stream.once('close', () => resolve('closed')))
  await change()
  const late = delay(revocationMs, `open after ${revocationMs} ms`, { ref: false })
  const outcome = await Promise.race([closed, late])
  const isRevoked = ({ closeReason }: LogLine): boolean => closeReason === 'policy-revoked'
  const lines = await log.since(before, (read) => read.some(isRevoked))
  return observe(`${outcome}: ${lines.some(isRevoked) ? 'policy-revoked' : 'no line says why'}`)
}

async function echo(stream: Duplex, text: string): Promise<string> {
  stream.write(writeFrame(text, true))
  const [bytes] = await once(stream, 'data', { signal: AbortSignal.timeout(seconds(2)) })
  return readFrame(bytes)?.text ?? 'nothing'
}

function observe(got: string): Observation {
  return { kind: 'observation', got }
}
