import { type Answer, ask } from './ask.ts'
import type { Finding } from './finding.ts'
import type { Claim, InwardDoor, Service } from './instance.ts'

/** Tries on an inbound listener what a stranger may not do. `unlisted` is a name that nobody has. */
export async function probeInward(door: InwardDoor, unlisted: string): Promise<readonly Finding[]> {
  const { name, protocol, services } = door
  if (protocol === 'tcp') {
    const detail = 'every connection is for its resource, whatever its bytes are'
    return [{ verdict: 'untried', door: name, probe: 'a forged identity', detail }]
  }
  if (protocol === 'member') {
    const answer = await say(door, request(unlisted))
    // There is no answer to give in what instances say to one another.
    const found =
      answer.kind === 'silence'
        ? ({ verdict: 'held', detail: 'nobody is answered without a certificate' } as const)
        : judge(answer)
    return [{ door: name, probe: 'no certificate', ...found }]
  }
  const findings: Finding[] = []
  for (const { probe, bytes } of strangers(door, unlisted)) {
    findings.push({ door: name, probe, ...judge(await say(door, bytes)) })
  }
  for (const service of services) {
    for (const claim of service.claims) findings.push(await forge(door, service, claim))
    if (service.claims.length > 0) continue
    const detail = 'no rule lets anybody in whom a header could name'
    findings.push({
      verdict: 'untried',
      door: name,
      probe: `a forged identity for ${service.host}`,
      detail,
    })
  }
  return findings
}

/** Requests for nothing that is here: whoever calls, they are refused. */
function strangers(
  { isOfOne, services }: InwardDoor,
  unlisted: string,
): readonly { readonly probe: string; readonly bytes: string }[] {
  const known = services[0]?.host ?? 'localhost'
  const byHost = [
    { probe: 'an unlisted host', bytes: request(unlisted) },
    { probe: 'an IP literal as host', bytes: request('192.0.2.1') },
    { probe: 'the metadata service as host', bytes: request('169.254.169.254') },
  ]
  return [
    // A listener of one resource takes its requests under any name.
    ...(isOfOne ? [] : byHost),
    { probe: 'two hosts', bytes: request(known, `Host: ${unlisted}\r\n`) },
    {
      probe: 'a way out by CONNECT',
      bytes: `CONNECT ${unlisted}:443 HTTP/1.1\r\nHost: ${unlisted}:443\r\n\r\n`,
    },
    {
      probe: 'a way out by absolute-form',
      bytes: request(unlisted).replace('GET /', `GET http://${unlisted}/`),
    },
  ]
}

/** Every spelling at once would be refused for being several: one after the other. */
async function forge(door: InwardDoor, service: Service, claim: Claim): Promise<Finding> {
  const { header, value, what, believed } = claim
  const at = { door: door.name, probe: `${what} for ${service.host}` }
  if (believed === 'from-everyone') {
    return { ...at, verdict: 'open', detail: `${header} is believed from everybody` }
  }
  if (believed === 'from-here') {
    return {
      ...at,
      verdict: 'untried',
      detail: `${header} is believed from this machine: try from another`,
    }
  }
  let held: Omit<Finding, 'door' | 'probe'> | undefined
  for (const name of [header, header.replaceAll('-', '_')]) {
    const answer = await say(door, request(service.host, `${name}: ${value}\r\n`))
    if (answer.kind !== 'let-through') {
      held = judge(answer)
      if (held.verdict === 'untried') return { ...at, ...held }
      continue
    }
    const without = await say(door, request(service.host))
    if (without.kind === 'refused') {
      return { ...at, ...judge(answer), detail: `${name} is believed from a stranger` }
    }
    if (service.mode === 'Learning' || service.mode === 'Audit') {
      return { ...at, verdict: 'learning', detail: `the resource is in ${service.mode}` }
    }
    return { ...at, verdict: 'untried', detail: 'this machine is let in whoever it says it is' }
  }
  return { ...at, ...(held ?? { verdict: 'untried', detail: 'nothing was tried' }) }
}

async function say({ address, isSecure }: InwardDoor, bytes: string): Promise<Answer> {
  return ask({ to: address, isSecure, bytes })
}

function request(host: string, more = ''): string {
  return `GET / HTTP/1.1\r\nHost: ${host}\r\n${more}Connection: close\r\n\r\n`
}

function judge(answer: Answer): Omit<Finding, 'door' | 'probe'> {
  switch (answer.kind) {
    case 'refused':
      return answer.reason === 'limit'
        ? { verdict: 'untried', detail: 'the instance takes no new work' }
        : { verdict: 'held', detail: answer.reason, ...idOf(answer.correlationId) }
    case 'let-through':
      return {
        verdict: 'open',
        detail: `let through (status ${answer.status})`,
        ...idOf(answer.correlationId),
      }
    case 'silence':
      return { verdict: 'untried', detail: 'the connection ended without an answer' }
    case 'unreachable':
      return { verdict: 'untried', detail: answer.why }
  }
}

function idOf(correlationId: string | undefined): { readonly correlationId?: string } {
  return correlationId === undefined ? {} : { correlationId }
}
