import { setTimeout as wait } from 'node:timers/promises'

/** What drains: a proxy of either side. */
export interface Draining {
  readonly open: number
  stopAccepting(): void
}

export interface DrainOptions {
  readonly inbound: readonly Draining[]
  readonly outbound: readonly Draining[]
  /** For both together. */
  readonly timeoutMs: number
}

/** How often it looks: the end of a drain is at most this late. */
const lookEveryMs = 20

/**
 * Inbound stops accepting and finishes what it has begun; outbound meanwhile takes new work, because answering a request
 * may need it, and finishes after that. Resolves as soon as nothing is left, or when the time is up: what is open then,
 * the caller cuts off. The result says whether everything came to its own end.
 */
export async function drain({ inbound, outbound, timeoutMs }: DrainOptions): Promise<boolean> {
  const until = performance.now() + timeoutMs
  await finish(inbound, until)
  await finish(outbound, until)
  return [...inbound, ...outbound].every(({ open }) => open === 0)
}

async function finish(proxies: readonly Draining[], until: number): Promise<void> {
  for (const proxy of proxies) proxy.stopAccepting()
  while (proxies.some(({ open }) => open > 0) && performance.now() < until) await wait(lookEveryMs)
}
