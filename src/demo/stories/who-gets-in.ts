import type { Seen, Story } from '../check.ts'
import { fromOffice, fromStranger, headersSeenBy, hosts, publicUrl, viaGateway } from '../visits.ts'
import { send, sendRaw, type Answer } from '../web-client.ts'
import { addresses, members, partnerSubscription, type World } from '../world.ts'

/** Inbound to members of the perimeter, and to what is in none. */

const allowedByRule = 'NspPublicInboundPerimeterRulesAllowed'
const deniedByPerimeter = 'NspPublicInboundPerimeterRulesDenied'
const allowedByResource = 'NspPublicInboundResourceRulesAllowed'
const deniedByResource = 'NspPublicInboundResourceRulesDenied'

export const enforcedInbound: Story = {
  title: 'Who gets in: orders is Enforced',
  about:
    'Only what a rule of its profile names reaches the storage account. What a client writes about itself is no ' +
    'evidence: it is removed, and the log says so.',
  checks: ({ world }) => [
    {
      tried: 'the office (203.0.113.10) reads a blob',
      expect: '200 access-rule',
      categories: [allowedByRule],
      act: async () => send(fromOffice(world, hosts.orders)),
      also: sameCorrelation,
    },
    {
      tried: 'a stranger (198.51.100.66) reads the same blob',
      expect: '403 no-matching-rule',
      categories: [deniedByPerimeter],
      act: async () => send(fromStranger(world, hosts.orders)),
      also: sameCorrelation,
    },
    {
      tried: 'the stranger again, with a browser: a page',
      expect: '403 no-matching-rule',
      categories: [deniedByPerimeter],
      act: async () => {
        const call = fromStranger(world, hosts.orders)
        return send({ ...call, headers: { ...call.headers, accept: 'text/html' } })
      },
      also: ({ answer }) =>
        answer?.body.includes('<h1>403 Forbidden</h1>') === true ? undefined : 'it is no page',
    },
    {
      tried: "the partner's subscription, as the gateway vouches",
      expect: '200 access-rule',
      categories: [allowedByRule],
      act: async () =>
        send(
          viaGateway(world, {
            host: hosts.orders,
            headers: { 'x-nsp-subscription-id': partnerSubscription },
          }),
        ),
      also: ({ answer }) =>
        headersSeenBy(answer).some((name) => name.startsWith('x-nsp-'))
          ? 'an identity header reached the back end'
          : undefined,
    },
    {
      tried: 'a stranger writes that subscription into a header',
      expect: '403 no-matching-rule',
      categories: [deniedByPerimeter],
      act: async () =>
        send({
          url: publicUrl(world, hosts.orders),
          from: addresses.stranger,
          headers: { X_Nsp_Subscription_Id: partnerSubscription },
        }),
      also: ({ lines }) =>
        lines.some(({ text }) => text.includes('X_Nsp_Subscription_Id'))
          ? undefined
          : 'the log does not mention the header that was removed',
    },
    {
      tried: "a stranger forges the office's X-Forwarded-For",
      expect: '403 no-matching-rule',
      categories: [deniedByPerimeter],
      act: async () =>
        send({
          url: publicUrl(world, hosts.orders),
          from: addresses.stranger,
          headers: { 'x-forwarded-for': '203.0.113.10' },
        }),
    },
    {
      tried: 'over an approved private endpoint',
      expect: '200 private-endpoint',
      categories: ['NspPrivateInboundAllowed'],
      act: async () =>
        send({
          url: `http://${hosts.orders}:${world.ports.private}/`,
          from: addresses.privateEndpoint,
        }),
    },
    {
      tried: 'a member reads the vault, as the gateway vouches',
      expect: '200 same-perimeter',
      categories: ['NspIntraPerimeterInboundAllowed'],
      act: async () =>
        send(
          viaGateway(world, {
            host: hosts.vault,
            headers: { 'x-nsp-resource-id': members.orders },
          }),
        ),
    },
  ],
}

export const learningInbound: Story = {
  title: 'Nothing breaks on the first day: search is Learning, reports is Audit',
  about:
    'What no rule allows still gets in while the resource itself is open, and the log says what Enforced mode would ' +
    'have answered.',
  checks: ({ world }) => [
    {
      tried: 'a stranger searches; Enforced would deny it',
      expect: '200 resource-rules',
      categories: [allowedByResource],
      act: async () => send(fromStranger(world, hosts.search)),
      also: ({ lines }) =>
        lines.some(({ enforcedEffect }) => enforcedEffect === 'deny')
          ? undefined
          : 'the log does not say that Enforced mode would deny it',
    },
    {
      tried: 'a stranger asks for reports; its service is down',
      expect: '502 connect-refused',
      categories: [allowedByResource],
      act: async () => send(fromStranger(world, hosts.reports)),
    },
  ],
}

export const unassociatedInbound: Story = {
  title: 'In no perimeter',
  about:
    'A resource that nobody associated is judged by its own rules, and is locked where it has none: losing an ' +
    'association never opens anything.',
  checks: ({ world }) => [
    {
      tried: 'the office reaches legacy; its firewall names it',
      expect: '200 resource-rules',
      categories: [allowedByResource],
      act: async () => send(fromOffice(world, hosts.legacy)),
    },
    {
      tried: 'a stranger reaches legacy',
      expect: '403 resource-rules',
      categories: [deniedByResource],
      act: async () => send(fromStranger(world, hosts.legacy)),
    },
    {
      tried: 'the office reaches closed (access Disabled)',
      expect: '403 public-access-disabled',
      categories: [deniedByResource],
      act: async () => send(fromOffice(world, hosts.closed)),
    },
    {
      tried: 'the office reaches orphan (locked by default)',
      expect: '403 locked-down',
      categories: [deniedByPerimeter],
      act: async () => send(fromOffice(world, hosts.orphan)),
    },
  ],
}

export const malformed: Story = {
  title: 'What is not plainly valid is refused, never repaired',
  about: 'A request that two programs could read in two ways is not decided at all.',
  checks: ({ world }) => [
    {
      tried: 'one request, two Host headers',
      expect: '400 bad-request',
      categories: ['-'],
      act: async () =>
        sendLines(world, ['GET / HTTP/1.1', `Host: ${hosts.orders}`, `Host: ${hosts.legacy}`]),
    },
    {
      tried: 'Content-Length and Transfer-Encoding together',
      expect: '400 bad-request',
      categories: ['-'],
      act: async () =>
        sendLines(world, [
          'POST / HTTP/1.1',
          `Host: ${hosts.orders}`,
          'Content-Length: 4',
          'Transfer-Encoding: chunked',
        ]),
    },
    {
      tried: 'a host that nobody has declared',
      expect: '404 unknown-resource',
      categories: ['-'],
      act: async () => send(fromOffice(world, 'nobody.demo.example')),
    },
  ],
}

async function sendLines(world: World, lines: readonly string[]): Promise<Answer> {
  const bytes = [...lines, 'Connection: close', '', ''].join('\r\n')
  return sendRaw(world.ports.public, { bytes, from: addresses.stranger })
}

function sameCorrelation({ answer, lines }: Seen): string | undefined {
  const told = answer?.headers['x-ms-request-id']
  return lines.some(({ correlationId }) => correlationId === told)
    ? undefined
    : 'x-ms-request-id is not the correlation id of the log line'
}
