import { lstat } from 'node:fs/promises'
import { ask } from './ask.ts'
import type { Finding } from './finding.ts'
import type { Address } from './instance.ts'

/** Permissions of anybody but the owner. */
const othersMask = 0o077

/** The health listener tells whether the instance lives, and nothing that reveals or changes policy. */
export async function probeHealth(address: Address): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const [method, path] of [
    ['GET', '/policy'],
    ['GET', '/denials'],
    ['GET', '/status'],
    ['POST', '/reload'],
  ] as const) {
    const bytes = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`
    const answer = await ask({ to: address, bytes })
    findings.push({ door: 'health', probe: `${method} ${path}`, ...verdictOn(answer) })
  }
  return findings
}

function verdictOn(answer: Awaited<ReturnType<typeof ask>>): Omit<Finding, 'door' | 'probe'> {
  if (answer.kind === 'unreachable') return { verdict: 'untried', detail: answer.why }
  if (answer.kind === 'silence') return { verdict: 'untried', detail: 'no answer' }
  if (answer.kind === 'refused') return { verdict: 'held', detail: answer.reason }
  const { status } = answer
  return status === 404 || status === 405
    ? { verdict: 'held', detail: `status ${status}` }
    : { verdict: 'open', detail: `answered (status ${status})` }
}

/** Whoever may open the admin socket may read and reload the policy: its owner alone. */
export async function probeAdmin(socket: string): Promise<Finding> {
  const at = { door: 'admin', probe: 'the admin socket for anybody but its owner' }
  try {
    const { mode } = await lstat(socket)
    const permissions = (mode & 0o777).toString(8).padStart(4, '0')
    return (mode & othersMask) === 0
      ? { ...at, verdict: 'held', detail: `mode ${permissions}` }
      : { ...at, verdict: 'open', detail: `mode ${permissions} lets others in` }
  } catch (error) {
    const detail = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return { ...at, verdict: 'untried', detail }
  }
}
