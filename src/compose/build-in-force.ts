import { deepFreeze } from '../documents/freeze.ts'
import type { Perimeter } from '../perimeter/perimeter.ts'
import { createAddressGuard, type OwnListener } from '../policy/address-guard.ts'
import { type Arena, createPrivateArena } from '../policy/arena.ts'
import { compilePolicy } from '../policy/compile-policy.ts'
import type { CompiledPolicy } from '../policy/compiled-policy.ts'
import { openPolicy } from '../policy/open-policy.ts'
import type { BackendAuthorities, InForce } from '../settings/in-force.ts'
import type { Settings } from '../settings/settings.ts'
import { createOwnAddresses } from './own-addresses.ts'

/** What is compiled: validated, with settings as they are to be put in force. Must not change any more. */
export interface CompileInput {
  readonly settings: Settings
  readonly perimeters: readonly Perimeter[]
}

export interface OpenInput {
  readonly settings: Settings
  /** Of `compileInForce` with the same settings. */
  readonly policy: CompiledPolicy
  /** Where this instance listens: it must not be talked into dialling itself. */
  readonly ownListeners: () => readonly OwnListener[]
  readonly backendAuthorities: BackendAuthorities
  readonly proxyAuthorization: string | undefined
}

/** Compiles and freezes everything that a decision reads, on this thread. */
export function buildInForce(input: CompileInput & Omit<OpenInput, 'policy'>): InForce {
  return openInForce({ ...input, policy: compileInForce(input, createPrivateArena()) })
}

/**
 * Compiles all that decides. It takes as long as there are rules, and may run on any thread.
 *
 * INVARIANT (equal versions decide equally): whatever of the settings has a say in a decision goes into the version.
 * What is open is judged again only where versions differ, so a field that is missing here would let something live on
 * that a reload has forbidden.
 */
export function compileInForce(
  { settings, perimeters }: CompileInput,
  arena: Arena,
): CompiledPolicy {
  return compilePolicy(
    {
      resources: settings.resources,
      perimeters,
      egressPorts: settings.egress.ports,
      autoApprove: settings.links.autoApprove,
      deciding: {
        identity: settings.identity,
        inbound: settings.inbound.map(({ listen: _address, tls, ...decides }) => ({
          ...decides,
          clientCertificates: tls?.clientCertificates,
        })),
        outbound: settings.outbound.map(({ listen: _address, ...decides }) => decides),
        egress: settings.egress,
      },
    },
    arena,
  )
}

/** Makes of a compiled policy, or of a clone from another thread, what this thread decides by. Quick, however many rules. */
export function openInForce(input: OpenInput): InForce {
  const settings = deepFreeze(input.settings)
  const snapshot = openPolicy(deepFreeze(input.policy))
  const guard = createAddressGuard({
    grants: settings.egress.privateAddresses,
    ownListeners: input.ownListeners,
    ownAddresses: createOwnAddresses(),
    nat64: settings.egress.nat64,
  })
  return Object.freeze({
    version: snapshot.version,
    settings,
    snapshot,
    guard,
    backendAuthorities: input.backendAuthorities,
    proxyAuthorization: () => input.proxyAuthorization,
  })
}
