import { hostname } from 'node:os'
import { formatProblem } from '../../documents/problem.ts'
import { PerimeterError } from '../../errors.ts'
import { loadConfiguration } from '../../load-configuration.ts'
import { quote } from '../../perimeter/quote.ts'
import type { OutboundListener } from '../../settings/settings.ts'
import { type IpAddress, parseAddress } from '../../wire/address.ts'
import { exitCodes } from '../exit-code.ts'
import { type Family, type Redirect, renderLockdown } from '../lockdown-rules.ts'

export interface LockdownOptions {
  readonly config: string
  readonly print: boolean
  /** Of the account that Ringfence runs as. */
  readonly uid: string
  /** Accounts that are to be held. */
  readonly workload: readonly string[]
  /** Name servers that they may ask. */
  readonly resolver: readonly string[]
  readonly out: (text: string) => unknown
  readonly err: (text: string) => unknown
}

/** (uid_t) -1 means nobody at all. */
const maxUid = 4_294_967_294

/**
 * `ringfence lockdown --print`: prints nftables rules that leave processes no way out but through this instance. Changes
 * nothing. Returns the exit code: 0 printed, 1 the settings are broken. Throws `PerimeterError` RF_USAGE.
 */
export async function runLockdown(options: LockdownOptions): Promise<number> {
  const { config, print, out, err } = options
  if (!print) {
    throw usage('it changes nothing by itself: `lockdown --print | nft -f -` does, as root')
  }
  const proxyUid = readUid(options.uid)
  // THREAT: whoever shares the account shares the way out.
  if (proxyUid === 0) throw usage('the uid of Ringfence is 0: run it as an account of its own')
  for (const text of options.workload) {
    if (readUid(text) === proxyUid) {
      throw usage(`the uid ${proxyUid} is a workload's: whoever shares it goes out freely`)
    }
  }
  const resolvers = options.resolver.map(readResolver)
  const configuration = await loadConfiguration(config, {
    instance: hostname(),
    azureLimits: false,
  })
  if (configuration.kind === 'broken') {
    for (const problem of configuration.problems) err(`${formatProblem(problem)}\n`)
    return exitCodes.problems
  }
  const redirects = readRedirects(configuration.settings.outbound)
  out(renderLockdown({ proxyUid, resolvers, redirects }))
  return exitCodes.good
}

function readUid(text: string): number {
  const uid = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (!(uid <= maxUid)) throw usage(`${quote(text)} is no uid; write a number`)
  return uid
}

function readResolver(text: string): IpAddress {
  const address = parseAddress(text)
  if (address === undefined) throw usage(`${quote(text)} is no address of a name server`)
  return address
}

function readRedirects(listeners: readonly OutboundListener[]): readonly Redirect[] {
  const taken = new Map<string, string>()
  return listeners.flatMap(({ name, listen, transparent }) => {
    if (transparent === undefined || 'socket' in listen) return []
    const { originalPort } = transparent
    if (listen.port === 0) throw usage(`the listener ${quote(name)} takes any port; give it one`)
    const families = familiesOf(listen.host)
    if (families.length === 0) {
      const where = 'what is led to this machine arrives at 127.0.0.1 or ::1'
      throw usage(`the listener ${quote(name)} is not there: ${where}, or on every interface`)
    }
    for (const family of families) {
      const other = taken.get(`${family} ${originalPort}`)
      if (other !== undefined) {
        throw usage(`${quote(name)} and ${quote(other)} both take ${family} port ${originalPort}`)
      }
      taken.set(`${family} ${originalPort}`, name)
    }
    return [{ originalPort, port: listen.port, families }]
  })
}

/** Loopback addresses of which families a listener has; `::` has both. */
function familiesOf(host: string): readonly Family[] {
  const text = parseAddress(host)?.text
  if (text === '127.0.0.1' || text === '0.0.0.0') return ['ipv4']
  if (text === '::1') return ['ipv6']
  return text === '::' ? ['ipv4', 'ipv6'] : []
}

function usage(message: string): PerimeterError {
  return new PerimeterError('RF_USAGE', message)
}
