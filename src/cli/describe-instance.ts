import type { Claim, InwardDoor, Instance, Mode, OutwardDoor, Service } from '../doctor/instance.ts'
import type { Configuration } from '../load-configuration.ts'
import type { Association, Perimeter, Profile } from '../perimeter/perimeter.ts'
import type { Resource } from '../perimeter/resource.ts'
import type { ResourceId } from '../perimeter/resource-id.ts'
import type { InboundListener, Settings } from '../settings/settings.ts'
import { type IpAddress, parseAddress, type Prefix, prefixCovers } from '../wire/address.ts'

type Loaded = Extract<Configuration, { kind: 'loaded' }>

/** What the doctor is told of an instance: where it listens, whom each listener serves, and what would open it. */
export function describeInstance({ settings, perimeters }: Loaded): Instance {
  const { inbound, outbound, health, admin } = settings
  return {
    inward: inbound.map((listener) => inwardDoor(listener, { settings, perimeters })),
    outward: outbound.map(({ name, listen, resource }): OutwardDoor => ({
      name,
      address: listen,
      // Whoever is nobody is refused, whatever he asks for.
      mode: resource === undefined ? 'Enforced' : modeOf(resource, perimeters),
    })),
    health: health?.listen,
    admin: admin?.socket,
  }
}

interface World {
  readonly settings: Settings
  readonly perimeters: readonly Perimeter[]
}

function inwardDoor(listener: InboundListener, world: World): InwardDoor {
  const { name, listen, protocol, tls, resource } = listener
  const served = world.settings.resources.filter(
    ({ id, backend }) =>
      protocol !== 'member' &&
      backend !== undefined &&
      (backend.scheme === 'tcp') === (protocol === 'tcp') &&
      (resource === undefined || resource.key === id.key),
  )
  return {
    name,
    address: listen,
    protocol,
    isSecure: tls !== undefined,
    isOfOne: resource !== undefined,
    services: served.flatMap((one) => serviceOf(one, listener, world)),
  }
}

function serviceOf(
  resource: Resource,
  listener: InboundListener,
  world: World,
): readonly Service[] {
  const [host] = resource.hosts
  if (host === undefined) return []
  const { perimeters } = world
  return [
    { host, mode: modeOf(resource.id, perimeters), claims: claimsFor(resource, listener, world) },
  ]
}

/** What a rule or a perimeter of the resource would believe, if a header said it. */
function claimsFor(resource: Resource, listener: InboundListener, world: World): readonly Claim[] {
  const { settings, perimeters } = world
  const place = placeOf(resource.id, perimeters)
  if (place === undefined) return []
  const { perimeter, profile } = place
  const { headers, headersTrustedFrom } = settings.identity
  const from = localAddress(listener)
  const rules = profile.accessRules
  const subscription = rules.flatMap(({ subscriptions }) => subscriptions)[0]
  const prefix = rules.flatMap(({ addressPrefixes }) => addressPrefixes)[0]
  const member = perimeter.associations.find(({ resourceId }) => resourceId.key !== resource.id.key)
  const identity = [
    { what: 'a forged subscription', header: headers.subscription, value: subscription },
    { what: 'a forged perimeter', header: headers.perimeter, value: perimeter.guid },
    { what: 'a forged member', header: headers.resource, value: member?.resourceId.text },
  ]
  const source = {
    what: 'a forged address',
    header: listener.forwardedHeader,
    value: addressIn(prefix, listener),
  }
  return [
    ...identity.map((claim) => ({ ...claim, believed: believed(headersTrustedFrom, from) })),
    { ...source, believed: believed(listener.trustedProxies, from) },
  ].flatMap(({ value, ...rest }) => (value === undefined ? [] : [{ ...rest, value }]))
}

/** The first address of a prefix, as the header writes it. */
function addressIn(
  prefix: Prefix | undefined,
  { forwardedHeader }: InboundListener,
): string | undefined {
  if (prefix === undefined) return undefined
  const groups = [...prefix.bytes]
  const text =
    groups.length === 4
      ? groups.join('.')
      : groups
          .map(
            (byte, index) =>
              byte.toString(16).padStart(2, '0') + (index % 2 === 1 && index < 15 ? ':' : ''),
          )
          .join('')
  if (forwardedHeader === 'x-forwarded-for') return text
  return groups.length === 4 ? `for=${text}` : `for="[${text}]"`
}

/** Where a connection of this machine to its own listener comes from. */
function localAddress({ listen }: InboundListener): IpAddress | undefined {
  const text = listen.host === '0.0.0.0' || listen.host === 'localhost' ? '127.0.0.1' : listen.host
  return parseAddress(text === '::' ? '::1' : text)
}

function believed(prefixes: readonly Prefix[], from: IpAddress | undefined): Claim['believed'] {
  if (prefixes.some(({ length }) => length === 0)) return 'from-everyone'
  return from !== undefined && prefixes.some((prefix) => prefixCovers(prefix, from))
    ? 'from-here'
    : 'not-from-here'
}

function modeOf(id: ResourceId, perimeters: readonly Perimeter[]): Mode {
  return placeOf(id, perimeters)?.association.accessMode ?? 'open'
}

function placeOf(
  id: ResourceId,
  perimeters: readonly Perimeter[],
):
  | { readonly perimeter: Perimeter; readonly profile: Profile; readonly association: Association }
  | undefined {
  for (const perimeter of perimeters) {
    const association = perimeter.associations.find(({ resourceId }) => resourceId.key === id.key)
    const profile = perimeter.profiles.find(({ name }) => name === association?.profile)
    if (association !== undefined && profile !== undefined)
      return { perimeter, profile, association }
  }
  return undefined
}
