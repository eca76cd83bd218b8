import type { Profile } from '../perimeter/perimeter.ts'
import { hashCanonical } from './canonical-hash.ts'
import type { PolicyInput } from './policy-input.ts'

/** The log shows it on every line: enough of the hash to tell versions of one profile apart. */
const accessRulesVersionLength = 16

export interface PolicyVersion {
  /** SHA-256 (hex) of all that decides. */
  readonly version: string
  /** For each profile a word that changes whenever its rules do. */
  readonly accessRulesVersions: ReadonlyMap<Profile, string>
}

/** Hashes the policy; each rule is read once, for its profile's hash, which stands for it in the whole. */
export function versionPolicy(input: PolicyInput): PolicyVersion {
  const accessRulesVersions = new Map<Profile, string>()
  const perimeters = input.perimeters.map((perimeter) => ({
    ...perimeter,
    profiles: perimeter.profiles.map((profile) => {
      const accessRules = hashCanonical(profile.accessRules)
      accessRulesVersions.set(profile, accessRules.slice(0, accessRulesVersionLength))
      return { ...profile, accessRules }
    }),
  }))
  return { version: hashCanonical({ ...input, perimeters }), accessRulesVersions }
}
