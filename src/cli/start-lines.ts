import type { Bound } from '../compose/bound.ts'
import type { ResourcePolicy } from '../policy/snapshot.ts'
import type { InForce } from '../settings/in-force.ts'
import type { ListenAddress } from '../settings/settings.ts'

export interface StartFacts {
  readonly bound: readonly Bound[]
  readonly inForce: InForce
  readonly warnings: readonly string[]
  /** From the start of the process. */
  readonly durationMs: number
}

/** More names than this are counted, not listed. */
const maxNames = 5
const sideOrder = ['inbound', 'outbound', 'health', 'admin'] as const
const versionLength = 12

/** What `run` prints when it is ready: one line for each listener, what it is for and how strictly. */
export function describeStart(facts: StartFacts): readonly string[] {
  const { inForce, warnings } = facts
  const rows = sideOrder.flatMap((side) =>
    facts.bound
      .filter((one) => one.side === side)
      .map((one) => [
        side,
        one.name === side ? '' : one.name,
        place(one, inForce),
        use(one, inForce),
      ]),
  )
  const where =
    inForce.settings.audit.file === '-' ? 'standard output' : inForce.settings.audit.file
  const { workers } = inForce.settings
  const served = workers === 1 ? '' : `, ${workers} workers`
  const version = inForce.version.slice(0, versionLength)
  return [
    ...warnings,
    ...align(rows),
    `ready in ${Math.round(facts.durationMs)} ms, policy ${version}, access log on ${where}${served}`,
  ]
}

function place({ side, name, address }: Bound, inForce: InForce): string {
  if ('socket' in address) return address.socket
  const listener =
    side === 'inbound' ? inForce.settings.inbound.find((one) => one.name === name) : undefined
  const scheme = listener?.tls === undefined ? (listener?.protocol ?? 'http') : 'https'
  return `${scheme}://${authority(address)}`
}

function authority(address: Exclude<ListenAddress, { readonly socket: string }>): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${host}:${address.port}`
}

function use({ side, name }: Bound, inForce: InForce): string {
  const { settings, snapshot } = inForce
  if (side === 'health') return '/livez /readyz /metrics'
  if (side === 'admin') return '/status /policy /denials /reload'
  if (side === 'outbound') {
    const key = settings.outbound.find((listener) => listener.name === name)?.resource?.key
    const resource = key === undefined ? undefined : snapshot.resources.get(key)
    return resource === undefined
      ? 'for nobody: every request is denied as unknown-caller'
      : describeResources([resource])
  }
  const key = settings.inbound.find((listener) => listener.name === name)?.resource?.key
  const fronted = [...snapshot.resources.values()].filter(({ id, resource }) => {
    const scheme = resource?.backend?.scheme
    // By Host only what speaks HTTP is found.
    return scheme !== undefined && (key === undefined ? scheme !== 'tcp' : id.key === key)
  })
  return describeResources(fronted)
}

function describeResources(resources: readonly ResourcePolicy[]): string {
  const names =
    resources.length > maxNames
      ? `${resources.length} resources`
      : resources.map(({ id }) => id.name).join(', ')
  const counts = new Map<string, number>()
  for (const { association } of resources) {
    const mode = association?.accessMode ?? 'not associated'
    counts.set(mode, (counts.get(mode) ?? 0) + 1)
  }
  const modes = [...counts].map(([mode, count]) => `${count} ${mode}`).join(', ')
  return resources.length === 0 ? 'for no resource' : `for ${names}  (${modes})`
}

/** Columns as wide as their widest cell, the last as it is. */
function align(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, column) => Math.max(widest[column] ?? 0, cell.length)),
    [],
  )
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  '),
  )
}
