import { resolve } from 'node:path'
import type { Findings } from '../documents/findings.ts'
import type { Placed } from '../documents/placed.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { Resource } from '../perimeter/resource.ts'
import { readCallers } from './read-callers.ts'
import { readPrefixes } from './read-prefixes.ts'
import { readReference } from './read-reference.ts'
import type { InboundValue, OutboundValue } from './schema.ts'
import type {
  ClientCertificates,
  InboundListener,
  ListenAddress,
  OutboundListener,
} from './settings.ts'

export interface ListenerContext {
  /** Relative paths start here. */
  readonly directory: string
  readonly resources: readonly Resource[]
  readonly findings: Findings
}

/** Reads `inbound`; what the listeners mean together is `check-listeners.ts`. */
export function readInbound(
  values: readonly InboundValue[],
  context: ListenerContext & {
    /** By index of the listener. */
    readonly clientCertificates: readonly (ClientCertificates | undefined)[]
  },
): readonly Placed<InboundListener>[] {
  const { findings } = context
  return values.map((value, index) => {
    const path: Path = ['inbound', index]
    const resource = readReference(value.resource, { ...context, path: [...path, 'resource'] })
    const listener: InboundListener = {
      name: value.name,
      protocol: protocolOf(value, hasTcpBackend(resource, context.resources)),
      listen: { host: value.listen.host, port: value.listen.port },
      network: value.network,
      clients: readPrefixes(value.clients ?? [], {
        path: [...path, 'clients'],
        findings,
        everyone: 'every caller would count as private and be let in whatever the rules say',
      }),
      resource,
      trustedProxies: readPrefixes(value.trustedProxies, {
        path: [...path, 'trustedProxies'],
        findings,
        everyone: 'anyone may claim any source address, and rules about addresses protect nothing',
      }),
      forwardedHeader: value.forwardedHeader,
      proxyProtocol:
        value.proxyProtocol === undefined
          ? undefined
          : {
              trustedPrefixes: readPrefixes(value.proxyProtocol.trustedPrefixes, {
                path: [...path, 'proxyProtocol', 'trustedPrefixes'],
                findings,
                everyone:
                  'anyone may claim any source address and any private endpoint, and whoever sends no PROXY header is refused',
              }),
            },
      tls:
        value.tls === undefined
          ? undefined
          : {
              certificateFile: resolve(context.directory, value.tls.certificateFile),
              keyFile: resolve(context.directory, value.tls.keyFile),
              clientCertificates: context.clientCertificates[index],
            },
    }
    return { value: listener, path }
  })
}

function protocolOf({ accepts }: InboundValue, isTcp: boolean): InboundListener['protocol'] {
  if (accepts === 'members') return 'member'
  return isTcp ? 'tcp' : 'http'
}

function hasTcpBackend(id: ResourceId | undefined, resources: readonly Resource[]): boolean {
  const found = resources.find((resource) => resource.id.key === id?.key)
  return found?.backend?.scheme === 'tcp'
}

/** Reads `outbound`. */
export function readOutbound(
  values: readonly OutboundValue[],
  context: ListenerContext,
): readonly Placed<OutboundListener>[] {
  const { findings } = context
  return values.flatMap((value, index) => {
    const path: Path = ['outbound', index]
    const listen = readListen(value.listen, { ...context, path: [...path, 'listen'] })
    const clients =
      value.clients === undefined
        ? undefined
        : readPrefixes(value.clients, {
            path: [...path, 'clients'],
            findings,
            everyone: `whoever reaches this listener may ${value.resource === undefined ? 'connect' : `speak for ${quote(value.resource)}`}`,
          })
    const resource = readReference(value.resource, { ...context, path: [...path, 'resource'] })
    if (listen === undefined) return []
    const callers = readCallers(value.callers, { ...context, listen, path: [...path, 'callers'] })
    return [{ value: { name: value.name, listen, resource, clients, callers }, path }]
  })
}

function readListen(
  value: OutboundValue['listen'],
  context: ListenerContext & { readonly path: Path },
): ListenAddress | undefined {
  const { host, port, socket, mode } = value
  if (socket !== undefined && host === undefined && port === undefined) {
    const path = resolve(context.directory, socket)
    return mode === undefined ? { socket: path } : { socket: path, mode: readMode(mode, context) }
  }
  if (socket === undefined && mode !== undefined) {
    context.findings.error([...context.path, 'mode'], '`mode` is for a `socket` only', 'key')
  }
  if (socket === undefined && host !== undefined && port !== undefined) return { host, port }
  context.findings.error(context.path, 'write either `socket`, or `host` and `port`')
  return undefined
}

/** Octal text, as the schema has it. */
function readMode(
  text: string,
  { findings, path }: { readonly findings: Findings; readonly path: Path },
): number {
  const mode = Number.parseInt(text, 8)
  // Threat: whoever connects speaks for the member; the permissions are all that guards a socket.
  if ((mode & 0o002) !== 0) {
    findings.error(
      [...path, 'mode'],
      `${quote(text)} lets every account of this machine connect; write \`0660\` and share a group`,
    )
  }
  return mode
}
