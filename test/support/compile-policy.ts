import { createPrivateArena } from '../../src/policy/arena.ts'
import { compilePolicy as compileTables } from '../../src/policy/compile-policy.ts'
import { openPolicy } from '../../src/policy/open-policy.ts'
import type { PolicyInput } from '../../src/policy/policy-input.ts'
import type { PolicySnapshot } from '../../src/policy/snapshot.ts'

/** Compiles a policy for this thread and opens it. */
export function compilePolicy(input: PolicyInput): PolicySnapshot {
  return openPolicy(compileTables(input, createPrivateArena()))
}
