import type { Perimeter } from '../perimeter/perimeter.ts'
import type { Resource } from '../perimeter/resource.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'

/** All that decides: validated and canonical. */
export interface PolicyInput {
  /** Of the settings. */
  readonly resources: readonly Resource[]
  readonly perimeters: readonly Perimeter[]
  /** Ports that FQDN rules cover. */
  readonly egressPorts: readonly number[]
  /** Perimeters whose links count without a reference (settings' `links.autoApprove`). */
  readonly autoApprove: readonly ResourceId[]
  /** Any other plain data that decides (trust lists, address grants): it only goes into the version. */
  readonly deciding: unknown
}
