import { resolve } from 'node:path'
import type { Findings } from '../documents/findings.ts'
import type { Placed } from '../documents/placed.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import { declaredResourceId, type ReferenceScope } from '../perimeter/resource-reference.ts'
import type { Backend, EndpointTls, PrivateEndpoint, Resource } from '../perimeter/resource.ts'
import { parseAddress } from '../wire/address.ts'
import { type Authority, parseAuthority } from '../wire/authority.ts'
import { type Hostname, parseHostname } from '../wire/hostname.ts'
import { readAlternativeNames } from '../wire/subject-alternative-names.ts'
import { readPrefixes } from './read-prefixes.ts'
import type { ResourceValue } from './schema.ts'

/** Reads `resources`. What is wrong is reported; a resource without a usable id is left out. */
export function readResources(
  values: readonly ResourceValue[],
  options: {
    readonly scope: ReferenceScope | undefined
    /** Relative paths start here. */
    readonly directory: string
    readonly findings: Findings
  },
): readonly Placed<Resource>[] {
  const { directory, findings } = options
  const ids = new Set<string>()
  const hosts = new Map<Hostname, ResourceId>()
  return values.flatMap((value, index) => {
    const path: Path = ['resources', index]
    const id = declaredResourceId(value.id, options.scope)
    if (id.kind === 'invalid') {
      // Where the scope is broken, that bare names have none is no news.
      if (!findings.foundWithin(['scope'])) findings.error([...path, 'id'], id.message)
      return []
    }
    if (ids.has(id.value.key)) {
      findings.error([...path, 'id'], `the resource ${quote(value.id)} is declared twice`)
    }
    ids.add(id.value.key)
    const resource = readResource(value, { id: id.value, path, hosts, directory, findings })
    return [{ value: resource, path }]
  })
}

function readResource(
  value: ResourceValue,
  context: {
    readonly id: ResourceId
    readonly path: Path
    readonly hosts: Map<Hostname, ResourceId>
    readonly directory: string
    readonly findings: Findings
  },
): Resource {
  const { id, path, findings } = context
  const backend = readBackend(value, context)
  const endpoint =
    value.endpoint === undefined
      ? undefined
      : readEndpoint(value.endpoint, { path: [...path, 'endpoint'], findings })
  if (value.backend !== undefined && value.endpoint !== undefined) {
    findings.error(
      [...path, 'endpoint'],
      'a resource has a `backend` (fronted here) or an `endpoint` (fronted by another instance), not both',
      'key',
    )
  }
  const firewall =
    value.firewall === undefined
      ? undefined
      : {
          defaultAction: value.firewall.defaultAction,
          ipRules: readPrefixes(value.firewall.ipRules, {
            path: [...path, 'firewall', 'ipRules'],
            findings,
          }),
        }
  const endpointTls = readEndpointTls(value, context)
  return {
    id,
    hosts: readHosts(value.hosts, { ...context, path: [...path, 'hosts'] }),
    ...(backend === undefined ? {} : { backend }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(endpointTls === undefined ? {} : { endpointTls }),
    ...(value.memberCertificate === undefined
      ? {}
      : {
          memberCertificate: {
            certificateFile: resolve(context.directory, value.memberCertificate.certificateFile),
            keyFile: resolve(context.directory, value.memberCertificate.keyFile),
          },
        }),
    ...(value.publicNetworkAccess === undefined
      ? {}
      : { publicNetworkAccess: value.publicNetworkAccess }),
    ...(firewall === undefined ? {} : { firewall }),
    ...(value.audience === undefined ? {} : { audience: value.audience }),
    ...(value.privateEndpoints.length === 0
      ? {}
      : { privateEndpoints: readPrivateEndpoints(value, context) }),
  }
}

function readEndpointTls(
  { endpoint, endpointTls }: ResourceValue,
  context: { readonly path: Path; readonly directory: string; readonly findings: Findings },
): EndpointTls | undefined {
  if (endpointTls === undefined) return undefined
  const path = [...context.path, 'endpointTls']
  if (endpoint === undefined) {
    context.findings.error(path, '`endpointTls` belongs to an `endpoint`; add one', 'key')
  }
  const [name, ...more] = readAlternativeNames(endpointTls.name) ?? []
  if (name === undefined || more.length > 0 || name.kind === 'other') {
    context.findings.error(
      [...path, 'name'],
      `${quote(endpointTls.name)} is no name to compare with; write \`URI:spiffe://…\` or \`DNS:name\``,
    )
  }
  return { caFile: resolve(context.directory, endpointTls.caFile), name: endpointTls.name }
}

function readPrivateEndpoints(
  { privateEndpoints }: ResourceValue,
  { path, findings }: { readonly path: Path; readonly findings: Findings },
): readonly PrivateEndpoint[] {
  for (const [index, { linkId, name }] of privateEndpoints.entries()) {
    const place = [...path, 'privateEndpoints', index]
    const before = privateEndpoints.slice(0, index)
    // Two entries may disagree on whether it is approved.
    if (before.some((other) => other.linkId === linkId)) {
      findings.error([...place, 'linkId'], `the link id ${linkId} is listed twice`)
    }
    if (before.some((other) => other.name === name)) {
      findings.error([...place, 'name'], `the private endpoint ${quote(name)} is listed twice`)
    }
  }
  return privateEndpoints
}

function readHosts(
  values: readonly string[],
  context: {
    readonly id: ResourceId
    readonly path: Path
    readonly hosts: Map<Hostname, ResourceId>
    readonly findings: Findings
  },
): readonly Hostname[] {
  const { id, path, hosts, findings } = context
  return values.flatMap((text, index) => {
    const host = parseHostname(text)
    const place = [...path, index]
    if (host === undefined) {
      findings.error(place, hostProblem(text))
      return []
    }
    const owner = hosts.get(host)
    if (owner !== undefined) {
      const whose =
        owner.key === id.key ? 'is listed twice' : `already belongs to ${quote(owner.name)}`
      findings.error(place, `the host ${quote(host)} ${whose}; one host belongs to one resource`)
      return []
    }
    hosts.set(host, id)
    return [host]
  })
}

function hostProblem(text: string): string {
  const written = quote(text)
  if (parseAddress(text.replace(/^\[|\]$/g, '')) !== undefined) {
    return `${written} is an address, no name; a listener with a \`resource\` of its own takes requests for any Host`
  }
  if (text.includes('*')) return `${written} is no host; hosts are exact names, without wildcards`
  if (text.includes('/'))
    return `${written} is no host; write the name alone, without a scheme or path`
  if (/:[0-9]+$/.test(text)) return `${written} is no host; write the name without a port`
  return `${written} is no host name; write it in lower-case ASCII, international names in their \`xn--\` form`
}

const defaultPorts = { http: 80, https: 443, tcp: undefined }

function readBackend(
  value: ResourceValue,
  context: { readonly path: Path; readonly directory: string; readonly findings: Findings },
): Backend | undefined {
  const { findings } = context
  const path = [...context.path, 'backend']
  const caPath = [...context.path, 'backendCaFile']
  if (value.backend === undefined) {
    if (value.backendCaFile !== undefined) {
      findings.error(caPath, '`backendCaFile` belongs to a `backend`; add one', 'key')
    }
    if (value.backendProtocol !== undefined) {
      findings.error(
        [...context.path, 'backendProtocol'],
        '`backendProtocol` belongs to a `backend`; add one',
        'key',
      )
    }
    return undefined
  }
  const [, scheme, rest] = /^(http|https|tcp):\/\/([^/?#]+)\/?$/.exec(value.backend) ?? []
  if (rest === undefined || (scheme !== 'http' && scheme !== 'https' && scheme !== 'tcp')) {
    findings.error(
      path,
      `${quote(value.backend)} is no back end; write \`http://host:port\`, \`https://host:port\` or \`tcp://host:port\`, without a path`,
    )
    return undefined
  }
  const authority = parseAuthority(rest, defaultPorts[scheme])
  if (authority === undefined) {
    findings.error(
      path,
      `${quote(value.backend)} is no back end; ${quote(rest.replace(/^.*@/, '***@'))} is not \`host:port\``,
    )
    return undefined
  }
  const isSecure = scheme === 'https'
  if (value.backendCaFile !== undefined && !isSecure) {
    findings.error(caPath, '`backendCaFile` is for `https:` back ends', 'key')
  }
  if (value.backendProtocol === 'http2' && !isSecure) {
    findings.error(
      [...context.path, 'backendProtocol'],
      '`http2` is for `https:` back ends, which agree on it in the TLS handshake',
    )
  }
  return {
    scheme,
    authority,
    ...(value.backendCaFile === undefined || !isSecure
      ? {}
      : { caFile: resolve(context.directory, value.backendCaFile) }),
    ...(value.backendProtocol === 'http2' && isSecure ? { protocol: 'http2' } : {}),
  }
}

function readEndpoint(
  text: string,
  at: { readonly path: Path; readonly findings: Findings },
): Authority | undefined {
  const authority = parseAuthority(text)
  if (authority === undefined) {
    at.findings.error(at.path, `${quote(text)} is no endpoint; write \`host:port\``)
  }
  return authority
}
