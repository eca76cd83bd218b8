import type { Findings } from '../documents/findings.ts'
import type { Profile } from '../perimeter/perimeter.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { ReferenceScope } from '../perimeter/resource-reference.ts'
import type { ServiceTags } from './service-tags.ts'

/** The resources of the settings. */
export interface KnownResources {
  readonly ids: readonly ResourceId[]
  /** False where one could not be read: then an unknown name is passed over. */
  readonly areAll: boolean
}

/** Of the file that settings name. */
export type NamedServiceTags = ServiceTags | 'no-file' | 'broken'

export interface PerimeterContext {
  readonly findings: Findings
  /** Default of subscription and resource group. */
  readonly scope: ReferenceScope | undefined
  /** What bare names may mean. */
  readonly resources: KnownResources
  readonly serviceTags: NamedServiceTags
  /** The file was printed by another tool. */
  readonly lenient: boolean
}

/** What members, links and references of a perimeter are read against. */
export interface MemberContext extends PerimeterContext {
  /** Of the perimeter. */
  readonly id: ResourceId
  readonly profiles: readonly Profile[]
}
