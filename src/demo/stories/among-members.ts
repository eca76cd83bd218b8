import type { Seen, Story } from '../check.ts'
import { hosts, publicUrl } from '../visits.ts'
import { openTunnel, secure, send, sendOver, type Answer } from '../web-client.ts'
import type { World } from '../world.ts'

/** Member to member: both ends are judged, nothing is dialled, both lines share a correlation id. */

const attempt = 'NspOutboundAttempt'
const intra = 'NspIntraPerimeterInboundAllowed'

export const amongMembers: Story = {
  title: 'Inside the perimeter, and across the link',
  about:
    'Members reach each other without a rule. The request never leaves the process: it goes from the outbound to the ' +
    'inbound decision, and the log has a line for each end under one correlation id.',
  checks: ({ world }) => [
    {
      tried: 'orders calls search over http',
      expect: '200 same-perimeter',
      categories: [attempt, intra],
      act: async () =>
        send({
          url: publicUrl(world, hosts.search),
          proxyPort: world.ports.ordersEgress,
        }),
      also: oneCorrelation,
    },
    {
      tried: 'orders takes a key from the vault (CONNECT, TLS)',
      expect: '200 same-perimeter',
      categories: [attempt, intra],
      act: async () => takeKey(world),
      also: oneCorrelation,
    },
    {
      tried: 'orders calls ledger, in the linked perimeter',
      expect: '200 linked-perimeter',
      categories: ['NspCrossPerimeterOutboundAllowed', 'NspCrossPerimeterInboundAllowed'],
      act: async () =>
        send({
          url: publicUrl(world, hosts.ledger),
          proxyPort: world.ports.ordersEgress,
        }),
      also: oneCorrelation,
    },
    {
      tried: 'ledger calls the vault; the link does not reach it',
      expect: '403 no-matching-rule',
      categories: ['NspPublicOutboundPerimeterRulesDenied'],
      act: async () =>
        send({
          url: publicUrl(world, hosts.vault),
          proxyPort: world.ports.ledgerEgress,
        }),
    },
    {
      tried: 'a tunnel to the vault; inside it, a call of ledger',
      expect: '421 name-mismatch',
      categories: [attempt, 'NspPublicInboundPerimeterRulesDenied'],
      act: async () => frontDomain(world),
    },
  ],
}

async function takeKey(world: World): Promise<Answer> {
  const authority = `${hosts.vault}:${world.ports.publicTls}`
  const opened = await openTunnel(world.ports.ordersEgress, authority)
  if (opened.kind === 'answer') return opened.answer
  const stream = secure(opened.stream, {
    name: hosts.vault,
    certificate: world.certificate.text,
  })
  return sendOver(stream, { url: `https://${authority}/keys/orders` })
}

async function frontDomain(world: World): Promise<Answer> {
  const authority = `${hosts.vault}:${world.ports.public}`
  const opened = await openTunnel(world.ports.ordersEgress, authority)
  if (opened.kind === 'answer') return opened.answer
  return sendOver(opened.stream, { url: publicUrl(world, hosts.ledger) })
}

function oneCorrelation({ lines }: Seen): string | undefined {
  return new Set(lines.map(({ correlationId }) => correlationId)).size === 1
    ? undefined
    : 'the two lines do not share a correlation id'
}
