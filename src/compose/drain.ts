import { setTimeout as wait } from 'node:timers/promises'
import type { Side } from './data-plane.ts'

/** What drains: a proxy of either side. */
export interface Draining {
  readonly open: number
  stopAccepting(): void
}

/** How often it looks: the end of a drain is at most this late. */
const lookEveryMs = 20

/**
 * Inbound stops accepting and finishes what it has begun; outbound meanwhile takes new work, because answering a request
 * may need it, and finishes after that. Resolves as soon as nothing is left, or when the time is up: what is open then,
 * the caller cuts off. The result says whether everything came to its own end.
 */
export async function drain(
  plane: { finish(side: Side, timeoutMs: number): Promise<boolean> },
  timeoutMs: number,
): Promise<boolean> {
  const until = performance.now() + timeoutMs
  const inbound = await plane.finish('inbound', timeoutMs)
  const outbound = await plane.finish('outbound', Math.max(0, until - performance.now()))
  return inbound && outbound
}

/** Takes nothing new and waits until nothing is open. False: the time was up. */
export async function finish(proxies: readonly Draining[], timeoutMs: number): Promise<boolean> {
  const until = performance.now() + timeoutMs
  const isOpen = (): boolean => proxies.some(({ open }) => open > 0)
  for (const proxy of proxies) proxy.stopAccepting()
  while (isOpen() && performance.now() < until) await wait(lookEveryMs)
  return !isOpen()
}
