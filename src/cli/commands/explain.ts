import { type Checked, invalid, valid } from '../../perimeter/checked.ts'
import { parseGuid } from '../../perimeter/guid.ts'
import { quote } from '../../perimeter/quote.ts'
import type { Explanation } from '../../policy/explain.ts'
import { type ExplainedAddress, explainAddresses } from '../../policy/explain-addresses.ts'
import { explainInbound } from '../../policy/explain-inbound.ts'
import { explainOutbound } from '../../policy/explain-outbound.ts'
import type { ResourcePolicy } from '../../policy/snapshot.ts'
import type { InForce } from '../../settings/in-force.ts'
import { isExempt } from '../../settings/no-proxy.ts'
import type { Settings } from '../../settings/settings.ts'
import { parseAddress } from '../../wire/address.ts'
import { parseAuthority } from '../../wire/authority.ts'
import { exitCodes } from '../exit-code.ts'
import { formatExplanation, printExplanation } from '../explanation.ts'
import { findResource } from '../find-resource.ts'
import { type LoadPolicy, loadPolicy } from '../load-policy.ts'

const nobody: Settings['egress']['hosts'] = new Map()

export interface ExplainOptions {
  /** Path of the settings file. */
  readonly config: string
  /** As typed: `inbound` or `outbound`. */
  readonly direction: string
  readonly resource?: string | undefined
  /** Inbound: the caller's address. */
  readonly source?: string | undefined
  /** Inbound: GUID of the caller's subscription. */
  readonly subscription?: string | undefined
  /** Inbound: GUID of a perimeter that the caller is a member of. */
  readonly perimeter?: string | undefined
  /** Outbound: `HOST[:PORT]`; port 443 where there is none. */
  readonly destination?: string | undefined
  readonly json: boolean
  readonly out: (text: string) => unknown
  readonly err: (text: string) => unknown
  readonly load?: LoadPolicy
}

const defaultPort = 443

/** With what the guard says of addresses, where they are known. */
type Ask = (
  inForce: InForce,
  resource: ResourcePolicy,
) => {
  readonly explanation: Explanation
  readonly addresses: readonly ExplainedAddress[] | undefined
}

/**
 * `ringfence explain`: how a request would be decided, stage by stage, and what to change. Returns the exit code: 0
 * explained, whatever the effect; 1 the configuration has problems or does not know the resource; 2 wrong usage.
 */
export async function runExplain(options: ExplainOptions): Promise<number> {
  const ask = readOptions(options)
  if (ask.kind === 'invalid') {
    options.err(`${ask.message}\n`)
    return exitCodes.usage
  }
  const load = options.load ?? loadPolicy
  const inForce = await load(options.config, options.err)
  if (inForce === undefined) return exitCodes.problems

  const reference = options.resource ?? ''
  const found = findResource(inForce.snapshot, reference)
  if (found.kind !== 'found') {
    options.err(
      found.kind === 'unclear'
        ? `${found.message}\n`
        : `neither settings nor a perimeter know a resource ${quote(reference)}\n`,
    )
    return exitCodes.problems
  }
  const { explanation, addresses } = ask.value(inForce, found.resource)
  options.out(
    options.json
      ? `${JSON.stringify(printExplanation(explanation, addresses), undefined, 2)}\n`
      : formatExplanation(explanation, addresses),
  )
  return exitCodes.good
}

function readOptions(options: ExplainOptions): Checked<Ask> {
  if (options.config === '') return invalid('name a settings file with --config FILE')
  if ((options.resource ?? '') === '') return invalid('name a resource with --resource ID')
  switch (options.direction) {
    case 'inbound':
      return readInbound(options)
    case 'outbound':
      return readOutbound(options)
    default:
      return invalid(
        `say \`explain inbound\` or \`explain outbound\`, not ${quote(options.direction)}`,
      )
  }
}

function readInbound({
  source,
  subscription,
  perimeter,
  destination,
}: ExplainOptions): Checked<Ask> {
  if (destination !== undefined) return invalid('--destination belongs to `explain outbound`')
  if (source === undefined) return invalid("name the caller's address with --source IP")
  const address = parseAddress(source)
  if (address === undefined) return invalid(`--source ${quote(source)} is no IP address`)
  const subscriptions = [subscription].filter((text) => text !== undefined).map(parseGuid)
  const perimeters = [perimeter].filter((text) => text !== undefined).map(parseGuid)
  if (subscriptions.includes(undefined)) return invalid('--subscription takes a GUID')
  if (perimeters.includes(undefined)) return invalid('--perimeter takes a GUID')
  const caller = {
    address,
    subscriptions: subscriptions.filter((guid) => guid !== undefined),
    perimeters: perimeters.filter((guid) => guid !== undefined),
  }
  return valid(({ snapshot }, resource) => ({
    explanation: explainInbound(snapshot, { resource, network: 'public', source: caller }),
    addresses: undefined,
  }))
}

function readOutbound({
  source,
  subscription,
  perimeter,
  destination,
}: ExplainOptions): Checked<Ask> {
  if (source !== undefined || subscription !== undefined || perimeter !== undefined) {
    return invalid('--source, --subscription and --perimeter belong to `explain inbound`')
  }
  if (destination === undefined) return invalid('name where it goes with --destination HOST[:PORT]')
  const authority = parseAuthority(destination, defaultPort)
  if (authority === undefined) {
    return invalid(`--destination ${quote(destination)} is not HOST or HOST:PORT`)
  }
  return valid(({ snapshot, guard, settings }, resource) => {
    const explanation = explainOutbound(snapshot, { resource, destination: authority })
    const { hosts, upstreamProxy } = settings.egress
    const isDirect = upstreamProxy === undefined || isExempt(upstreamProxy.noProxy, authority)
    // What the upstream proxy is asked for is not resolved here.
    const fixedAnswers = isDirect ? hosts : nobody
    const asked = { destination: authority, snapshot, guard, fixedAnswers }
    return { explanation, addresses: explainAddresses(explanation, asked) }
  })
}
