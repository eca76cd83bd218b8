import { execFileSync } from 'node:child_process'
import type { Test } from 'tap'
import { hasServers } from './database-servers.ts'

/** Machines of a test: network namespaces on a wire of their own, which are gone with it. Nothing else is touched. */
export interface Namespaces {
  /** What a command begins with that runs in it. */
  within(name: string): readonly [command: string, ...parameters: string[]]
  addressOf(name: string): string
}

/** Whether there can be any: a program that is missing fails as all do, what the machine does not allow is said. */
export function hasNamespaces(t: Test): boolean {
  if (!hasServers(t, 'iproute2', ['ip'])) return false
  const obstacle = obstacleToNamespaces()
  if (obstacle === undefined) return true
  sayNotTested(t, obstacle)
  return false
}

/** On standard error too: nobody reads the comments of a test that passes. */
export function sayNotTested(t: Test, why: string): void {
  process.stderr.write(`not tested: ${t.name}: ${why}\n`)
  t.comment(`not tested: ${why}`)
}

function obstacleToNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  const name = `rf-try-${process.pid}`
  try {
    ip('netns', 'add', name)
  } catch (error) {
    return `network namespaces cannot be made: ${firstLine(error)}`
  }
  try {
    ip('-n', name, 'link', 'add', 'wire', 'type', 'bridge')
    return undefined
  } catch (error) {
    return `network namespaces cannot be joined: ${firstLine(error)}`
  } finally {
    ip('netns', 'del', name)
  }
}

/** Makes one for each name, all on one wire, with addresses from 10.77.0.1 on. */
export function createNamespaces(t: Test, names: readonly string[]): Namespaces {
  const own = (name: string): string => `rf-${process.pid}-${name}`
  const wire = own('wire')
  t.teardown(() => {
    for (const name of [...names.map(own), wire]) attempt('netns', 'del', name)
  })
  ip('netns', 'add', wire)
  ip('-n', wire, 'link', 'add', 'wire', 'type', 'bridge')
  ip('-n', wire, 'link', 'set', 'wire', 'up')
  const addressOf = (name: string): string => `10.77.0.${names.indexOf(name) + 1}`
  for (const name of names) {
    ip('netns', 'add', own(name))
    const peer = ['peer', 'name', 'eth0', 'netns', own(name)]
    ip('-n', wire, 'link', 'add', name, 'type', 'veth', ...peer)
    ip('-n', wire, 'link', 'set', name, 'master', 'wire', 'up')
    ip('-n', own(name), 'addr', 'add', `${addressOf(name)}/24`, 'dev', 'eth0')
    ip('-n', own(name), 'link', 'set', 'eth0', 'up')
    ip('-n', own(name), 'link', 'set', 'lo', 'up')
  }
  return { within: (name) => ['ip', 'netns', 'exec', own(name)], addressOf }
}

function ip(...parameters: readonly string[]): void {
  execFileSync('ip', parameters, { stdio: ['ignore', 'ignore', 'pipe'] })
}

function attempt(...parameters: readonly string[]): void {
  try {
    ip(...parameters)
  } catch {
    // It was never made.
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n').at(-1) ?? ''
}
