import { dirname, resolve } from 'node:path'
import { createFindings, type Findings } from '../documents/findings.ts'
import { parseDocument } from '../documents/parse-document.ts'
import type { Path } from '../documents/problem.ts'
import { readText } from '../documents/read-text.ts'
import { validateShape } from '../documents/validate-shape.ts'
import { parseGuid } from '../perimeter/guid.ts'
import { quote } from '../perimeter/quote.ts'
import { parseResourceId, type ResourceId } from '../perimeter/resource-id.ts'
import { readEgress } from './read-egress.ts'
import { readInbound, readOutbound } from './read-listeners.ts'
import { readPrefixes } from './read-prefixes.ts'
import { type PlacedResource, readResources } from './read-resources.ts'
import { settingsShape, type SettingsValue } from './schema.ts'
import type { Scope, Settings } from './settings.ts'

/** Settings as far as they could be read. */
export interface LoadedSettings {
  /** Undefined where nothing could be read; may be used only if `findings` has no error. */
  readonly settings: Settings | undefined
  readonly resources: readonly PlacedResource[]
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
    return { settings: undefined, resources: [], findings, files: [] }
  }
  const document = parseDocument(file, source.text)
  const validated =
    document.data === undefined
      ? undefined
      : validateShape(settingsShape, document.data, {
          findings: document.findings,
          unknownKeys: 'error',
        })
  if (validated === undefined) {
    return { settings: undefined, resources: [], findings: document.findings, files: [] }
  }
  const { value, findings } = validated
  const scope = readScope(value.scope, findings)
  const resources = readResources(value.resources, { scope, findings })
  const settings = readSettings(value, {
    file,
    instance: options.instance,
    scope,
    resources,
    findings,
  })
  return { settings, resources, findings, files: [] }
}

function readSettings(
  value: SettingsValue,
  context: {
    readonly file: string
    readonly instance: string
    readonly scope: Scope | undefined
    readonly resources: readonly PlacedResource[]
    readonly findings: Findings
  },
): Settings {
  const { file, scope, findings } = context
  const directory = dirname(file)
  const resources = context.resources.map(({ resource }) => resource)
  const listeners = { directory, known: resources.map(({ id }) => id), findings }
  return {
    file,
    instance: value.instance ?? context.instance,
    scope,
    policy: { files: value.policy.files.map((pattern) => resolve(directory, pattern)) },
    resources,
    links: { autoApprove: readPerimeterIds(value.links.autoApprove, findings) },
    inbound: readInbound(value.inbound, listeners),
    outbound: readOutbound(value.outbound, listeners),
    identity: {
      headers: readHeaders(value.identity.headers, findings),
      headersTrustedFrom: readPrefixes(value.identity.headersTrustedFrom, {
        path: ['identity', 'headersTrustedFrom'],
        findings,
      }),
    },
    egress: readEgress(value.egress, findings),
    audit: {
      ...value.audit,
      file: value.audit.file === '-' ? '-' : resolve(directory, value.audit.file),
    },
    health: value.health === undefined ? undefined : { listen: { ...value.health.listen } },
    admin:
      value.admin === undefined ? undefined : { socket: resolve(directory, value.admin.socket) },
    limits: value.limits,
    timeouts: value.timeouts,
  }
}

function readScope(value: SettingsValue['scope'], findings: Findings): Scope | undefined {
  if (value === undefined) return undefined
  const subscriptionId = parseGuid(value.subscriptionId)
  if (subscriptionId === undefined) {
    findings.error(['scope', 'subscriptionId'], `${quote(value.subscriptionId)} is not a GUID`)
    return undefined
  }
  return { subscriptionId, resourceGroup: value.resourceGroup }
}

function readPerimeterIds(texts: readonly string[], findings: Findings): readonly ResourceId[] {
  return texts.flatMap((text, index) => {
    const id = parseResourceId(text)
    if (id?.type.toLowerCase() === perimeterType) return [id]
    const path: Path = ['links', 'autoApprove', index]
    findings.error(path, `${quote(text)} is not the resource id of a network security perimeter`)
    return []
  })
}

const perimeterType = 'microsoft.network/networksecurityperimeters'

function readHeaders(
  value: SettingsValue['identity']['headers'],
  findings: Findings,
): Settings['identity']['headers'] {
  const headers = {
    subscription: value.subscription.toLowerCase(),
    perimeter: value.perimeter.toLowerCase(),
    resource: value.resource.toLowerCase(),
  }
  const seen = new Map<string, string>()
  for (const [kind, name] of Object.entries(headers)) {
    const other = seen.get(name)
    if (other !== undefined) {
      findings.error(
        ['identity', 'headers', kind],
        `the header ${quote(name)} already carries the ${other}; give each its own`,
      )
    }
    seen.set(name, kind)
  }
  return headers
}
