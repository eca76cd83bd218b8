import type { Findings } from '../documents/findings.ts'
import type { Placed } from '../documents/placed.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'
import type { Backend, Resource } from '../perimeter/resource.ts'
import { prefixesOverlap } from '../wire/address.ts'
import { formatHost } from '../wire/authority.ts'
import {
  collide,
  formatListen,
  isLocalOnly,
  isReachedBy,
  listenHostProblem,
  maxSocketPathBytes,
} from './listen-address.ts'
import type {
  InboundListener,
  ListenAddress,
  OutboundListener,
  Settings,
  TcpAddress,
} from './settings.ts'

/** What the listeners mean, one by one and together (design: who may speak for a member, what counts as private). */
export function checkListeners(
  listeners: {
    readonly inbound: readonly Placed<InboundListener>[]
    readonly outbound: readonly Placed<OutboundListener>[]
    readonly health: Settings['health']
    readonly admin: Settings['admin']
  },
  context: { readonly resources: readonly Resource[]; readonly findings: Findings },
): void {
  const { findings, resources } = context
  const { inbound, outbound, health, admin } = listeners
  for (const listener of inbound) checkInbound(listener, { findings, resources })
  for (const listener of outbound) {
    checkOutbound(listener, findings)
    checkNoWayOut(listener, { findings, resources })
    checkProof(listener, { findings, resources })
  }
  if (inbound.length === 0 && outbound.length === 0) {
    findings.warning(
      [],
      'there is neither an inbound nor an outbound listener: nothing is enforced',
    )
  }
  checkNames([...inbound, ...outbound], findings)
  checkAddresses(
    [
      ...[...inbound, ...outbound].map(({ value, path }) => ({
        value: value.listen,
        path: [...path, 'listen'],
      })),
      ...(health === undefined ? [] : [{ value: health.listen, path: ['health', 'listen'] }]),
      ...(admin === undefined ? [] : [{ value: admin, path: ['admin', 'socket'] }]),
    ],
    findings,
  )
}

function checkInbound(
  { value, path }: Placed<InboundListener>,
  context: { readonly resources: readonly Resource[]; readonly findings: Findings },
): void {
  const { findings } = context
  const clientsPath = [...path, 'clients']
  const hasClients = value.clients.length > 0 || findings.foundWithin(clientsPath)
  if (value.network === 'private' && !hasClients) {
    findings.error(
      [...path, 'network'],
      '`network: private` requires `clients`: the prefixes from which connections arrive over a private endpoint',
    )
  }
  if (value.network === 'public' && hasClients) {
    findings.error(
      clientsPath,
      '`clients` belongs to `network: private`; on a public listener rules decide',
      'key',
    )
  }
  const resource = context.resources.find(({ id }) => id.key === value.resource?.key)
  if (value.resource !== undefined && resource?.backend === undefined) {
    findings.error(
      [...path, 'resource'],
      `the resource ${quote(value.resource.name)} has no \`backend\`: there is nothing to forward to`,
    )
  }
  checkProxyProtocol({ value, path }, findings)
  if (value.protocol === 'tcp') checkTcp({ value, path }, findings)
  if (value.protocol === 'member') checkMembers({ value, path }, findings)
  for (const { backend } of context.resources) {
    if (backend === undefined || !isAt(backend, value.listen)) continue
    findings.error(
      [...path, 'listen'],
      `a back end is ${formatBackend(backend)}, which is this listener: requests would go round in circles`,
    )
  }
}

/**
 * THREAT: whoever connects to a forward proxy speaks for its member. What a client of ours sends to a `tcp:` back end is
 * not looked at, so such a back end must never be one.
 */
function checkNoWayOut(
  { value, path }: Placed<OutboundListener>,
  context: { readonly resources: readonly Resource[]; readonly findings: Findings },
): void {
  const { listen } = value
  if ('socket' in listen) return
  for (const { backend } of context.resources) {
    if (backend?.scheme !== 'tcp' || !isAt(backend, listen)) continue
    context.findings.error(
      [...path, 'listen'],
      `a back end is ${formatBackend(backend)}, which is this listener: whoever is let in there would go out from here`,
    )
  }
}

function isAt({ authority }: Backend, listen: TcpAddress): boolean {
  if (authority.port !== listen.port) return false
  return isReachedBy(listen, unbracketed(formatHost(authority.host)))
}

function formatBackend({ scheme, authority }: Backend): string {
  return quote(`${scheme}://${formatHost(authority.host)}:${authority.port}`)
}

/** A peer says by one means for whom it connects: who passes bytes on unread does not know what stands in them. */
function checkProxyProtocol({ value, path }: Placed<InboundListener>, findings: Findings): void {
  for (const [index, sender] of (value.proxyProtocol?.trustedPrefixes ?? []).entries()) {
    const other = value.trustedProxies.find((proxy) => prefixesOverlap(proxy, sender))
    if (other === undefined) continue
    findings.error(
      [...path, 'proxyProtocol', 'trustedPrefixes', index],
      `${quote(sender.text)} and ${quote(other.text)} of \`trustedProxies\` share addresses; who sends a PROXY header passes on a forwarded header that anybody may have written`,
    )
  }
}

/** What a listener cannot have in front of a `tcp:` back end, because nobody reads what passes through. */
function checkTcp({ value, path }: Placed<InboundListener>, findings: Findings): void {
  if (value.tls !== undefined && value.tls.clientCertificates === undefined) {
    findings.error(
      [...path, 'tls'],
      'TLS passes through to a `tcp:` back end, which has the certificate; leave `tls` out here, or ask for `clientCertificates`',
      'key',
    )
  }
  if (value.trustedProxies.length > 0) {
    findings.error(
      [...path, 'trustedProxies'],
      'a TCP connection has no header that says for whom it is forwarded, so the address of its peer decides; leave `trustedProxies` out in front of a `tcp:` back end',
      'key',
    )
  }
}

/** A listener for other instances takes whoever proves to be a member, and nobody else; what it is for, they say. */
function checkMembers({ value, path }: Placed<InboundListener>, findings: Findings): void {
  if (value.tls?.clientCertificates?.mode !== 'required') {
    findings.error(
      [...path, 'accepts'],
      '`accepts: members` needs `tls` with `clientCertificates` whose mode is `required`: nothing else says which member it is',
    )
  }
  for (const key of ['resource', 'proxyProtocol'] as const) {
    if (value[key] === undefined) continue
    findings.error(
      [...path, key],
      `\`${key}\` is not for a listener with \`accepts: members\``,
      'key',
    )
  }
  if (value.network === 'private' || value.trustedProxies.length > 0) {
    findings.error(
      path,
      'a listener with `accepts: members` is never private and believes no proxy; leave `network` and `trustedProxies` out',
    )
  }
}

/** Another instance that asks who sends takes nothing of a member that cannot prove it. */
function checkProof(
  { value, path }: Placed<OutboundListener>,
  context: { readonly resources: readonly Resource[]; readonly findings: Findings },
): void {
  const own = context.resources.find(({ id }) => id.key === value.resource?.key)
  const isAsked = context.resources.some(({ endpointTls }) => endpointTls !== undefined)
  if (own === undefined || own.memberCertificate !== undefined || !isAsked) return
  context.findings.warning(
    [...path, 'resource'],
    `the resource ${quote(own.id.name)} has no \`memberCertificate\`: it reaches no peer with \`endpointTls\``,
  )
}

function checkOutbound({ value, path }: Placed<OutboundListener>, findings: Findings): void {
  const { callers, clients, listen, resource } = value
  const clientsPath = [...path, 'clients']
  if (resource !== undefined && callers.length > 0) {
    const message = 'a listener speaks for its `resource` or for `callers`, not for both'
    findings.error([...path, 'callers'], message, 'key')
  }
  const isUnfound = [
    [...path, 'resource'],
    [...path, 'callers'],
  ].some((one) => findings.foundWithin(one))
  if (resource === undefined && callers.length === 0 && !isUnfound) {
    findings.warning(
      path,
      'the listener names neither `resource` nor `callers`: it refuses every request as `unknown-caller`',
    )
  }
  if (resource !== undefined && clients === undefined && !isLocalOnly(listen)) {
    findings.error(
      [...path, 'listen'],
      `whoever connects here speaks for ${quote(resource.name)}; bind loopback or a Unix socket, or name \`clients\``,
    )
  }
  if (clients === undefined) return
  if (clients.length === 0 && !findings.foundWithin(clientsPath)) {
    findings.error(clientsPath, '`clients` is empty, so nobody could connect; name prefixes')
  }
  if ('socket' in listen) {
    findings.error(
      clientsPath,
      'a Unix socket knows no client addresses; leave `clients` out and guard the socket by its permissions',
      'key',
    )
  }
}

function checkNames(
  listeners: readonly Placed<{ readonly name: string }>[],
  findings: Findings,
): void {
  const seen = new Set<string>()
  for (const { value, path } of listeners) {
    if (seen.has(value.name)) {
      findings.error([...path, 'name'], `the listener ${quote(value.name)} is declared twice`)
    }
    seen.add(value.name)
  }
}

function checkAddresses(listens: readonly Placed<ListenAddress>[], findings: Findings): void {
  for (const [index, { value, path }] of listens.entries()) {
    checkAddress(value, { path, findings })
    const other = listens.slice(0, index).find((earlier) => collide(earlier.value, value))
    if (other === undefined) continue
    const { line } = findings.locate(other.path)
    findings.error(
      path,
      `${quote(formatListen(value))} is already taken by the listener of line ${line} (${quote(formatListen(other.value))})`,
    )
  }
}

function checkAddress(
  listen: ListenAddress,
  { path, findings }: { readonly path: Path; readonly findings: Findings },
): void {
  if ('socket' in listen) {
    if (Buffer.byteLength(listen.socket) > maxSocketPathBytes) {
      findings.error(
        path,
        `the path of a Unix socket has at most ${maxSocketPathBytes} bytes; write a shorter one`,
      )
    }
    return
  }
  const problem = listenHostProblem(listen.host)
  if (problem !== undefined) findings.error([...path, 'host'], `${quote(listen.host)} ${problem}`)
}

function unbracketed(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host
}
