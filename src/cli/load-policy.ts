import { hostname } from 'node:os'
import { type Bound, createOwnListeners } from '../compose/bound.ts'
import { buildInForce } from '../compose/build-in-force.ts'
import { formatProblem } from '../documents/problem.ts'
import { loadConfiguration } from '../load-configuration.ts'
import type { InForce } from '../settings/in-force.ts'
import type { ListenAddress, Settings } from '../settings/settings.ts'
import { parseAddress } from '../wire/address.ts'

/** Loads what a command decides by, or the part of it that it needs; undefined after its problems were told. */
export type LoadPolicy<Part extends keyof InForce = keyof InForce> = (
  config: string,
  tell: (text: string) => void,
) => Promise<Pick<InForce, Part> | undefined>

/**
 * Loads and compiles the configuration exactly as `run` would put it in force. Errors go to `tell`, one a line; warnings
 * are `check`'s to show.
 */
export async function loadPolicy(
  config: string,
  tell: (text: string) => void,
): Promise<InForce | undefined> {
  const configuration = await loadConfiguration(config, { instance: hostname() })
  if (configuration.kind === 'broken') {
    for (const problem of configuration.problems) {
      if (problem.severity === 'error') tell(`${formatProblem(problem)}\n`)
    }
    return undefined
  }
  const { settings, perimeters } = configuration
  return buildInForce({
    settings,
    perimeters,
    ownListeners: createOwnListeners(listenersOf(settings)),
    backendAuthorities: new Map(),
    proxyAuthorization: undefined,
  })
}

/** What would listen if it ran. A port that is 0 is anybody's guess and matches nothing. */
function listenersOf({ inbound, outbound, health }: Settings): readonly Bound[] {
  return [
    ...inbound.map(({ name, listen }) => bound('inbound', name, listen)),
    ...outbound.map(({ name, listen }) => bound('outbound', name, listen)),
    ...(health === undefined ? [] : [bound('health', 'health', health.listen)]),
  ]
}

function bound(side: Bound['side'], ...[name, listen]: [string, ListenAddress]): Bound {
  if ('socket' in listen || parseAddress(listen.host) !== undefined) {
    return { side, name, address: listen }
  }
  // The one name that settings take here is `localhost`.
  return { side, name, address: { host: '127.0.0.1', port: listen.port } }
}
