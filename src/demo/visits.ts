import type { Echo } from './back-end.ts'
import type { Answer, Call } from './web-client.ts'
import { addresses, type World } from './world.ts'

/** Calls that several stories make. */

export const hosts = {
  orders: 'orders.demo.example',
  vault: 'vault.demo.example',
  search: 'search.demo.example',
  reports: 'reports.demo.example',
  ledger: 'ledger.demo.example',
  legacy: 'legacy.demo.example',
  closed: 'closed.demo.example',
  orphan: 'orphan.demo.example',
  payments: 'payments.demo.example',
  updates: 'updates.demo.example',
  drop: 'drop.attacker.example',
  down: 'down.demo.example',
} as const

/** The URL of a resource at the public listener. */
export function publicUrl(world: World, host: string): string {
  return `http://${host}:${world.ports.public}/`
}

/** From the office: its address is in a rule of orders. The load balancer says so. */
export function fromOffice(world: World, host: string): Call {
  return viaLoadBalancer(world, { host, client: '203.0.113.10' })
}

/** From an address that nobody has heard of. */
export function fromStranger(world: World, host: string): Call {
  return viaLoadBalancer(world, { host, client: '198.51.100.66' })
}

/** Through the gateway, which overwrites the identity headers and is believed. */
export function viaGateway(
  world: World,
  call: { readonly host: string; readonly headers: Readonly<Record<string, string>> },
): Call {
  return { url: publicUrl(world, call.host), from: addresses.gateway, headers: call.headers }
}

function viaLoadBalancer(world: World, call: { host: string; client: string }): Call {
  return {
    url: publicUrl(world, call.host),
    from: addresses.loadBalancer,
    headers: { 'x-forwarded-for': call.client },
  }
}

/** Names of the header fields that reached the mock service, in lower case. */
export function headersSeenBy(answer: Answer | undefined): string[] {
  const echo = parseEcho(answer?.body ?? '')
  return (echo?.headers ?? [])
    .filter((_, index) => index % 2 === 0)
    .map((name) => name.toLowerCase())
}

/** What a mock service answered; undefined where it was somebody else. */
function parseEcho(body: string): Echo | undefined {
  try {
    const parsed: Echo = JSON.parse(body)
    return Array.isArray(parsed.headers) ? parsed : undefined
  } catch {
    return undefined
  }
}
