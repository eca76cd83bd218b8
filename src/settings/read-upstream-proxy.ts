import { resolve } from 'node:path'
import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { quote } from '../perimeter/quote.ts'
import { classifyAddress } from '../wire/address-class.ts'
import { type Authority, parseAuthority } from '../wire/authority.ts'
import { type NoProxy, parseNoProxy } from './no-proxy.ts'
import type { SettingsValue } from './schema.ts'
import type { UpstreamProxy } from './settings.ts'

interface Context {
  readonly path: Path
  readonly findings: Findings
  /** Where relative paths begin. */
  readonly directory: string
}

const defaultPorts = { http: 80, https: 443 } as const

/** Reads `egress.upstreamProxy`. One that is wrong is reported; nothing is put in force then. */
export function readUpstreamProxy(
  value: NonNullable<SettingsValue['egress']['upstreamProxy']>,
  context: Context,
): UpstreamProxy | undefined {
  const { path, findings, directory } = context
  const noProxy = readNoProxy(value.noProxy, context)
  const [, scheme, rest] = /^(http|https):\/\/([^/?#]+)\/?$/.exec(value.url) ?? []
  if (rest?.includes('@') === true) {
    // Not quoted: it is a secret.
    const message = 'the address holds credentials; write them into a file for `credentialsFile`'
    findings.error([...path, 'url'], message)
    return undefined
  }
  const isScheme = scheme === 'http' || scheme === 'https'
  const authority = isScheme ? parseAuthority(rest ?? '', defaultPorts[scheme]) : undefined
  if (!isScheme || authority === undefined) {
    findings.error(
      [...path, 'url'],
      `${quote(value.url)} is no proxy; write \`http://host:port\` or \`https://host:port\``,
    )
    return undefined
  }
  if (value.caFile !== undefined && scheme === 'http') {
    findings.error([...path, 'caFile'], '`caFile` belongs to an `https:` proxy', 'key')
  }
  if (value.credentialsFile !== undefined && scheme === 'http' && !isLocal(authority)) {
    findings.warning(
      [...path, 'credentialsFile'],
      'the credentials go over the network in the clear; write `https:` if the proxy speaks it',
      'key',
    )
  }
  return {
    scheme,
    authority,
    ...(value.credentialsFile === undefined
      ? {}
      : { credentialsFile: resolve(directory, value.credentialsFile) }),
    ...(value.caFile === undefined ? {} : { caFile: resolve(directory, value.caFile) }),
    noProxy,
  }
}

function readNoProxy(texts: readonly string[], { path, findings }: Context): readonly NoProxy[] {
  return texts.flatMap((text, index) => {
    const entry = parseNoProxy(text)
    if (entry !== undefined) return [entry]
    findings.error(
      [...path, 'noProxy', index],
      `${quote(text)} is neither a name, \`*.name\` nor a prefix, with or without \`:port\``,
    )
    return []
  })
}

function isLocal({ host }: Authority): boolean {
  return host.kind === 'name' ? host.name === 'localhost' : classifyAddress(host) === 'loopback'
}
