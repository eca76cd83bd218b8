import { type Answer, ask } from './ask.ts'
import type { Finding } from './finding.ts'
import type { Instance, OutwardDoor } from './instance.ts'

/** What nobody may be let out to: as a sentence, as bytes, and whether it must be refused while a resource learns too. */
interface OutwardProbe {
  readonly probe: string
  readonly bytes: string
  /** The guard holds in every access mode; rules only where a resource is Enforced. */
  readonly by: 'rules' | 'guard'
}

/** For use in documentation only (RFC 5737): nobody is there. */
const literal = '192.0.2.1'

/** Tries them one after the other on an outbound listener. `unlisted` is a name that nobody has. */
export async function probeOutward(
  door: OutwardDoor,
  given: { readonly instance: Instance; readonly unlisted: string },
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const one of outwardProbes(given.instance, given.unlisted)) {
    const answer = await ask({ to: door.address, bytes: one.bytes })
    findings.push({ door: door.name, probe: one.probe, ...judge(answer, door, one.by) })
  }
  return findings
}

function outwardProbes(instance: Instance, unlisted: string): readonly OutwardProbe[] {
  const own = [
    ...instance.inward.map(({ name, address }) => ({ name, port: address.port })),
    ...(instance.health === undefined ? [] : [{ name: 'health', port: instance.health.port }]),
    ...instance.outward.flatMap(({ name, address }) =>
      'socket' in address ? [] : [{ name, port: address.port }],
    ),
  ]
  return [
    { probe: 'CONNECT to an unlisted host', bytes: connectTo(`${unlisted}:443`), by: 'rules' },
    {
      probe: 'CONNECT to an unlisted host, port 80',
      bytes: connectTo(`${unlisted}:80`),
      by: 'rules',
    },
    { probe: 'a request for an unlisted host', bytes: absolute(unlisted), by: 'rules' },
    { probe: 'an upgrade for an unlisted host', bytes: absolute(unlisted, upgrade), by: 'rules' },
    { probe: 'an unlisted host behind an allowed Host', bytes: mismatched(unlisted), by: 'guard' },
    { probe: 'CONNECT to an IP literal', bytes: connectTo(`${literal}:443`), by: 'guard' },
    { probe: 'a request for an IP literal', bytes: absolute(literal), by: 'guard' },
    { probe: 'CONNECT to an IPv6 literal', bytes: connectTo('[2001:db8::1]:443'), by: 'guard' },
    {
      probe: 'CONNECT to an IP literal in decimal',
      bytes: connectTo('3221225985:443'),
      by: 'guard',
    },
    // By CONNECT alone: were it let through, nothing would be asked.
    {
      probe: 'CONNECT to the metadata service',
      bytes: connectTo('169.254.169.254:80'),
      by: 'guard',
    },
    { probe: 'CONNECT to Azure WireServer', bytes: connectTo('168.63.129.16:80'), by: 'guard' },
    {
      probe: 'CONNECT to the metadata service, as IPv6',
      bytes: connectTo('[::ffff:169.254.169.254]:80'),
      by: 'guard',
    },
    ...own.flatMap(({ name, port }): OutwardProbe[] => [
      {
        probe: `CONNECT to its own listener ${name}`,
        bytes: connectTo(`127.0.0.1:${port}`),
        by: 'guard',
      },
      {
        probe: `CONNECT to its own listener ${name} by name`,
        bytes: connectTo(`localhost:${port}`),
        by: 'guard',
      },
    ]),
  ]
}

function connectTo(authority: string): string {
  return `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`
}

const upgrade =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ZG9jdG9yIGRvY3RvciBkbw==\r\n'

function absolute(host: string, more = 'Connection: close\r\n'): string {
  return `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`
}

function mismatched(unlisted: string): string {
  return `GET http://${unlisted}/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`
}

function judge(
  answer: Answer,
  { mode }: OutwardDoor,
  by: OutwardProbe['by'],
): Omit<Finding, 'door' | 'probe'> {
  switch (answer.kind) {
    case 'refused':
      return isKnownCaller(answer.reason)
        ? { verdict: 'held', detail: answer.reason, ...idOf(answer.correlationId) }
        : { verdict: 'untried', detail: 'the listener does not know this caller' }
    case 'silence':
      return { verdict: 'untried', detail: 'the connection ended without an answer' }
    case 'unreachable':
      return { verdict: 'untried', detail: answer.why }
    case 'let-through': {
      // The guard looks at addresses: without one it has not been asked.
      if (by === 'guard' && answer.failure?.startsWith('dns-') === true) {
        return { verdict: 'untried', detail: answer.failure }
      }
      const isLearning = by === 'rules' && (mode === 'Learning' || mode === 'Audit')
      const why = isLearning
        ? `the resource is in ${mode}`
        : `let through (status ${answer.status})`
      return {
        verdict: isLearning ? 'learning' : 'open',
        detail: why,
        ...idOf(answer.correlationId),
      }
    }
  }
}

/** Refused for who asks, not for what is asked: nothing is known about the latter. */
function isKnownCaller(reason: string): boolean {
  return reason !== 'unknown-caller' && reason !== 'limit'
}

function idOf(correlationId: string | undefined): { readonly correlationId?: string } {
  return correlationId === undefined ? {} : { correlationId }
}
