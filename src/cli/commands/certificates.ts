import { lstat, mkdir, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import {
  type CertificateFile,
  makeWorkingSet,
  type WorkingSetRequest,
} from '../../certificates/working-set.ts'
import { PerimeterError } from '../../errors.ts'
import { parseGuid } from '../../perimeter/guid.ts'
import { formatMemberUri } from '../../perimeter/member-uri.ts'
import { defaultPerimeterGuid } from '../../perimeter/perimeter-guid.ts'
import { parsePerimeterId } from '../../perimeter/perimeter-id.ts'
import { quote } from '../../perimeter/quote.ts'
import { parseResourceId } from '../../perimeter/resource-id.ts'
import { hours } from '../../units.ts'
import { parseHostname } from '../../wire/hostname.ts'
import { exitCodes } from '../exit-code.ts'

export interface CertificatesOptions {
  readonly into: string
  /** GUID or resource id. */
  readonly perimeter: string
  /** Resource ids. */
  readonly member: readonly string[]
  readonly host: readonly string[]
  readonly days: string
  readonly out: (text: string) => unknown
  readonly err: (text: string) => unknown
}

const maxDays = 825

/** Machines' clocks differ. */
const backdatedMs = hours(1)

/**
 * `ringfence certificates`: writes a working set for a laptop into a folder and overwrites nothing. Returns the exit code:
 * 0 written, 1 something was there. Throws `PerimeterError` RF_USAGE.
 */
export async function runCertificates(options: CertificatesOptions): Promise<number> {
  const { into, out, err } = options
  const request = readRequest(options)
  const files = await makeWorkingSet(request)
  await mkdir(into, { recursive: true })
  const taken = await findTaken(into, files)
  if (taken !== undefined) {
    err(`ringfence: ${quote(taken)} is there already: nothing was written, name another folder\n`)
    return exitCodes.problems
  }
  for (const { name, text, isPrivate } of files) {
    await writeFile(join(into, name), text, { flag: 'wx', mode: isPrivate ? 0o600 : 0o644 })
  }
  for (const { name } of files) out(`${join(into, name)}\n`)
  for (const { name, uri } of request.members) out(`${name}.pem is ${uri}\n`)
  return exitCodes.good
}

function readRequest(options: CertificatesOptions): WorkingSetRequest {
  const perimeter = readPerimeter(options.perimeter)
  const members = options.member.map((text) => {
    const resource = parseResourceId(text)
    if (resource === undefined) throw usage(`${quote(text)} is not a resource id`)
    const uri = formatMemberUri({ resource, perimeter })
    if (uri === undefined) throw usage(`${quote(text)} has signs that no SPIFFE ID has`)
    return { name: resource.name, uri }
  })
  const names = ['ca', 'server', ...members.map(({ name }) => name.toLowerCase())]
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw usage(`two certificates would be called ${quote(twice)}`)
  for (const host of options.host) {
    if (isIP(host) === 0 && parseHostname(host) === undefined) {
      throw usage(`${quote(host)} is neither a host name nor an address`)
    }
  }
  const days = Number(options.days)
  if (!Number.isInteger(days) || days < 1 || days > maxDays) {
    throw usage(`${quote(options.days)} is not a number of days from 1 to ${maxDays}`)
  }
  const now = Date.now()
  return {
    members,
    hosts: options.host,
    from: new Date(now - backdatedMs),
    until: new Date(now + days * hours(24)),
  }
}

function readPerimeter(text: string) {
  const id = parsePerimeterId(text)
  const guid = id === undefined ? parseGuid(text) : defaultPerimeterGuid(id)
  if (guid === undefined) {
    throw usage(`${quote(text)} is neither a GUID nor the resource id of a perimeter`)
  }
  return guid
}

async function findTaken(
  folder: string,
  files: readonly CertificateFile[],
): Promise<string | undefined> {
  for (const { name } of files) {
    const path = join(folder, name)
    const found = await lstat(path).catch(() => undefined)
    if (found !== undefined) return path
  }
  return undefined
}

function usage(words: string): PerimeterError {
  return new PerimeterError('RF_USAGE', words)
}
