import { dirname, resolve } from 'node:path'
import { createFindings, type Findings } from '../documents/findings.ts'
import { parseDocument } from '../documents/parse-document.ts'
import { type Placed, valuesOf } from '../documents/placed.ts'
import { readText } from '../documents/read-text.ts'
import { validateShape } from '../documents/validate-shape.ts'
import type { Resource } from '../perimeter/resource.ts'
import { checkDurations } from './check-durations.ts'
import { checkAudiences } from './check-audiences.ts'
import { checkIdentity } from './check-identity.ts'
import { checkKeyFiles } from './check-key-files.ts'
import { checkListeners } from './check-listeners.ts'
import { checkResources } from './check-resources.ts'
import { type ClientTrust, readClientTrust } from './read-client-trust.ts'
import { readEgress } from './read-egress.ts'
import { readPerimeterIds, readScope } from './read-ids.ts'
import { readInbound, readOutbound } from './read-listeners.ts'
import { readPrefixes } from './read-prefixes.ts'
import { readResources } from './read-resources.ts'
import { type ReadTokens, readTokens } from './read-tokens.ts'
import { settingsShape, type SettingsValue } from './schema.ts'
import type { InboundListener, OutboundListener, Settings } from './settings.ts'
import { readWorkers } from './read-workers.ts'

/** Settings as far as they could be read. */
export interface LoadedSettings {
  /** Undefined where nothing could be read; to be used only if `findings` has no error. */
  readonly settings: Settings | undefined
  readonly resources: readonly Placed<Resource>[]
  /** Takes paths into the settings file. */
  readonly findings: Findings
  /** Every other file that was read. */
  readonly files: readonly string[]
}

/** Reads and checks a settings file. `file` is absolute. Never rejects. */
export async function loadSettings(
  file: string,
  options: { readonly instance: string },
): Promise<LoadedSettings> {
  const source = await readText(file)
  if (source.kind === 'unreadable') {
    const findings = createFindings(() => ({ file, line: 1, column: 1 }))
    findings.error([], source.message)
    return nothing(findings)
  }
  const document = parseDocument(file, source.text)
  if (document.data === undefined) return nothing(document.findings)
  const validated = validateShape(settingsShape, document.data, {
    findings: document.findings,
    unknownKeys: 'error',
  })
  if (validated === undefined) return nothing(document.findings)

  const { value, findings } = validated
  const proving = await readTokens(value.identity.tokens, { directory: dirname(file), findings })
  const parts = { ...(await readParts(value, { file, findings })), proving }
  const settings = assemble(value, { ...parts, file, findings, instance: options.instance })
  checkResources(parts.resources, { inbound: settings.inbound, findings })
  checkListeners(
    { ...parts, health: settings.health, admin: settings.admin },
    { resources: settings.resources, findings },
  )
  checkIdentity(settings, { resources: parts.resources, findings })
  checkAudiences(settings, { resources: parts.resources, findings })
  checkDurations(settings, findings)
  const { upstreamProxy } = settings.egress
  const files = await checkKeyFiles({ ...parts, upstreamProxy }, { findings, now: Date.now() })
  return {
    settings,
    resources: parts.resources,
    findings,
    files: [...files, ...parts.trust.files, ...proving.files],
  }
}

function nothing(findings: Findings): LoadedSettings {
  return { settings: undefined, resources: [], findings, files: [] }
}

interface Parts {
  readonly scope: Settings['scope']
  readonly resources: readonly Placed<Resource>[]
  readonly trust: ClientTrust
  readonly inbound: readonly Placed<InboundListener>[]
  readonly outbound: readonly Placed<OutboundListener>[]
  readonly proving: ReadTokens
}

interface Context {
  readonly file: string
  readonly findings: Findings
}

async function readParts(
  value: SettingsValue,
  { file, findings }: Context,
): Promise<Omit<Parts, 'proving'>> {
  const directory = dirname(file)
  const scope = readScope(value.scope, findings)
  const resources = readResources(value.resources, { scope, directory, findings })
  const listeners = { directory, resources: valuesOf(resources), findings }
  const trust = await readClientTrust(value.inbound, { ...listeners, now: Date.now() })
  return {
    scope,
    resources,
    trust,
    inbound: readInbound(value.inbound, { ...listeners, clientCertificates: trust.byListener }),
    outbound: readOutbound(value.outbound, listeners),
  }
}

function readPatterns(value: SettingsValue, { file, findings }: Context): readonly string[] {
  // What is only a placeholder names no file.
  if (findings.foundWithin(['policy'])) return []
  return value.policy.files.map((pattern) => resolve(dirname(file), pattern))
}

function assemble(
  value: SettingsValue,
  context: Context & Parts & { readonly instance: string },
): Settings {
  const { file, findings, proving } = context
  const directory = dirname(file)
  const { tokens, speakers } = proving
  const ownTokenHeader = tokens?.header === 'authorization' ? undefined : tokens?.header
  return {
    file,
    instance: value.instance ?? context.instance,
    scope: context.scope,
    policy: {
      files: readPatterns(value, context),
      ...(value.policy.serviceTagsFile === undefined
        ? {}
        : { serviceTagsFile: resolve(directory, value.policy.serviceTagsFile) }),
    },
    resources: valuesOf(context.resources),
    links: { autoApprove: readPerimeterIds(value.links.autoApprove, findings) },
    inbound: valuesOf(context.inbound),
    outbound: valuesOf(context.outbound),
    identity: {
      headers: {
        subscription: value.identity.headers.subscription.toLowerCase(),
        perimeter: value.identity.headers.perimeter.toLowerCase(),
        resource: value.identity.headers.resource.toLowerCase(),
        ...(ownTokenHeader === undefined ? {} : { token: ownTokenHeader }),
      },
      headersTrustedFrom: readPrefixes(value.identity.headersTrustedFrom, {
        path: ['identity', 'headersTrustedFrom'],
        findings,
        everyone:
          'anyone may claim to be any member of any perimeter, and no rule protects anything',
      }),
      tokens,
      speakers: new Map([...context.trust.speakers, ...speakers]),
    },
    egress: readEgress(value.egress, { directory, findings }),
    audit: {
      ...value.audit,
      file: value.audit.file === '-' ? '-' : resolve(directory, value.audit.file),
    },
    health: value.health === undefined ? undefined : { listen: { ...value.health.listen } },
    admin:
      value.admin === undefined ? undefined : { socket: resolve(directory, value.admin.socket) },
    workers: readWorkers(value, findings),
    lane: value.lane,
    limits: { ...value.limits },
    timeouts: { ...value.timeouts },
  }
}
