import type { OwnListener } from '../policy/address-guard.ts'
import { createPrivateArena } from '../policy/arena.ts'
import type { CompiledPolicy } from '../policy/compiled-policy.ts'
import type { InForce } from '../settings/in-force.ts'
import type { Settings } from '../settings/settings.ts'
import { KiB, MiB } from '../units.ts'
import type { ArenaPair, Filling } from '../workers/arena-pair.ts'
import { openInForce } from './build-in-force.ts'
import {
  describeLoadError,
  type PreparationFailed,
  type Prepared,
  prepareInForce,
  type PrepareRequest,
} from './prepare-in-force.ts'
import { prepareOffThread } from './prepare-off-thread.ts'
import { readBackendAuthorities } from './read-backend-authorities.ts'
import { readProxyAuthorization } from './read-proxy-authorization.ts'
import { type ListenerPems, readSecureContexts } from './read-secure-contexts.ts'

export interface LoadRequest extends PrepareRequest {
  readonly ownListeners: () => readonly OwnListener[]
  /** Where a policy lies that is compiled on another thread. */
  readonly arenas: () => ArenaPair
  /** Breaks off what another thread does. */
  readonly signal?: AbortSignal
  /** Larger perimeter files are read and compiled on another thread. */
  readonly mostBytesHere?: number
}

/** Everything that a start or a reload needs, complete and checked, before anything of it counts. */
export type Loaded =
  | {
      readonly kind: 'loaded'
      readonly inForce: InForce
      /** What it was made of, for other threads to make the same. */
      readonly policy: CompiledPolicy
      /** Where its tables lie, if another thread compiled them: to be committed before it is put in force. */
      readonly filling: Filling | undefined
      readonly running: Settings
      readonly pems: ListenerPems
      readonly needsRestart: readonly string[]
      readonly warnings: readonly string[]
      readonly watchPaths: readonly string[]
    }
  | PreparationFailed

/** While requests wait: 16 KiB of YAML take 6 ms, of JSON 4. A thread takes half a second and 20 MB. */
const mostBytesOfReload = 16 * KiB

/** At the start nobody waits, and a thread would only come on top. */
const mostBytesOfStart = MiB

/**
 * Loads, validates, compiles and freezes. Small perimeter files are done with at once, here; all others on a thread of
 * their own. Rejects only if the spare arena cannot be had.
 */
export async function loadInForce(request: LoadRequest): Promise<Loaded> {
  const { configFile, instance, running } = request
  const mostBytes =
    request.mostBytesHere ?? (running === undefined ? mostBytesOfStart : mostBytesOfReload)
  const asked: PrepareRequest = { configFile, instance, running }
  const prepared = await prepareInForce(asked, { arena: createPrivateArena(), mostBytes })
  if (prepared.kind !== 'too-large') return open(prepared, request)
  const filling = await request.arenas().beginFilling()
  const { watchPaths } = prepared
  const { signal } = request
  const given = { filling, watchPaths, ...(signal === undefined ? {} : { signal }) }
  return open(await prepareOffThread(asked, given), { ...request, filling })
}

async function open(
  prepared: Prepared,
  given: Pick<LoadRequest, 'ownListeners'> & { readonly filling?: Filling },
): Promise<Loaded> {
  if (prepared.kind === 'failed') return prepared
  const { settings, policy, running, needsRestart, warnings, watchPaths } = prepared
  try {
    const pems = await readSecureContexts(settings)
    const backendAuthorities = await readBackendAuthorities(settings)
    const proxyAuthorization = await readProxyAuthorization(settings)
    const { ownListeners, filling } = given
    const parts = { settings, policy, ownListeners, backendAuthorities, proxyAuthorization }
    const inForce = openInForce(parts)
    const rest = { running, pems, needsRestart, warnings, watchPaths }
    return { kind: 'loaded', inForce, policy, filling, ...rest }
  } catch (error) {
    return { kind: 'failed', problems: describeLoadError(error), watchPaths }
  }
}
