import type { Path } from '../documents/problem.ts'

/** One resource as the REST API or a template writes it, wherever it stood in the file. */
export interface ForeignBody {
  readonly kind: ForeignKind
  /** Of the perimeter, then of what is in it. As many as the kind has. */
  readonly names: readonly string[]
  /** Of the perimeter, where the body says. */
  readonly subscriptionId: string | undefined
  readonly resourceGroup: string | undefined
  readonly location: unknown
  /** Read-only keys and what cannot be enforced are already gone. */
  readonly properties: Readonly<Record<string, unknown>>
  readonly path: Path
}

export type ForeignKind =
  | 'perimeter'
  | 'profile'
  | 'accessRule'
  | 'association'
  | 'link'
  | 'linkReference'
  | 'loggingConfiguration'

interface KindRow {
  readonly kind: ForeignKind
  /** ARM type, lower case. */
  readonly type: string
  /** Properties that the service writes and that say nothing to a decision (NSP REST specification, recorded replies). */
  readonly readOnly: readonly string[]
}

const root = 'microsoft.network/networksecurityperimeters'

export const foreignKinds: readonly KindRow[] = [
  { kind: 'perimeter', type: root, readOnly: [] },
  {
    kind: 'profile',
    type: `${root}/profiles`,
    readOnly: ['accessRulesVersion', 'diagnosticSettingsVersion'],
  },
  {
    kind: 'accessRule',
    type: `${root}/profiles/accessrules`,
    // The service fills `networkSecurityPerimeters` from links, which are read by themselves.
    readOnly: ['networkSecurityPerimeters', 'appliesTo'],
  },
  {
    kind: 'association',
    type: `${root}/resourceassociations`,
    readOnly: ['hasProvisioningIssues'],
  },
  {
    kind: 'link',
    type: `${root}/links`,
    readOnly: [
      'remotePerimeterGuid',
      'remotePerimeterLocation',
      'localOutboundProfiles',
      'remoteOutboundProfiles',
    ],
  },
  {
    kind: 'linkReference',
    type: `${root}/linkreferences`,
    readOnly: [
      'remotePerimeterGuid',
      'remotePerimeterLocation',
      'localOutboundProfiles',
      'remoteInboundProfiles',
      'remoteOutboundProfiles',
    ],
  },
  {
    kind: 'loggingConfiguration',
    type: `${root}/loggingconfigurations`,
    readOnly: ['version', 'destinationType'],
  },
]

export function kindOfType(type: string): KindRow | undefined {
  const lower = type.toLowerCase()
  return foreignKinds.find((row) => row.type === lower)
}

/** A mapping; undefined for anything else. */
export function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  // The check is all that makes it one: the values stay unknown.
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined
}
