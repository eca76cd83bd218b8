import { randomUUID } from 'node:crypto'
import type { Finding } from './finding.ts'
import type { Instance } from './instance.ts'
import { probeInward } from './inward-probes.ts'
import { probeOutward } from './outward-probes.ts'
import { probeAdmin, probeHealth } from './side-door-probes.ts'

/**
 * Tries the forbidden on every listener of a running instance, one probe after the other. Connects to the instance's own
 * listeners and to nobody else, and asks for nothing that exists. Never rejects.
 */
export async function examine(instance: Instance): Promise<readonly Finding[]> {
  // One that nobody can have put on a list.
  const unlisted = `doctor-${randomUUID()}.invalid`
  const findings: Finding[] = []
  for (const door of instance.outward) {
    findings.push(
      ...(isKnown(door.address)
        ? await probeOutward(door, { instance, unlisted })
        : [portless(door.name)]),
    )
  }
  for (const door of instance.inward) {
    findings.push(
      ...(isKnown(door.address) ? await probeInward(door, unlisted) : [portless(door.name)]),
    )
  }
  if (instance.health !== undefined) {
    findings.push(
      ...(isKnown(instance.health) ? await probeHealth(instance.health) : [portless('health')]),
    )
  }
  if (instance.admin !== undefined) findings.push(await probeAdmin(instance.admin))
  return findings
}

function isKnown(address: { readonly port: number } | { readonly socket: string }): boolean {
  return 'socket' in address || address.port !== 0
}

function portless(door: string): Finding {
  return {
    verdict: 'untried',
    door,
    probe: 'everything',
    detail: 'settings give it no port of its own (0)',
  }
}
