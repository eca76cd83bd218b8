import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { PerimeterError } from '../errors.ts'
import type { ListenerTls, Settings } from '../settings/settings.ts'

/** Certificate and key of a listener, as read and found to belong together. Never logged, never shown. */
export interface ListenerPem {
  readonly cert: string
  readonly key: string
  /** Where several threads present it: what one gives a client to resume by, the others take. */
  readonly ticketKeys?: Uint8Array
  /** Whose certificates clients are asked for; absent: they are asked for none. */
  readonly clientAuthorities?: readonly string[] | undefined
}

/** By name of the listener. */
export type ListenerPems = ReadonlyMap<string, ListenerPem>

/**
 * Reads what the listeners present. Throws `PerimeterError` RF_SETTINGS with one line for each listener whose files
 * cannot be read or do not fit: a reload must find that out before it changes anything.
 */
export async function readSecureContexts(settings: Settings): Promise<ListenerPems> {
  const pems = new Map<string, ListenerPem>()
  const problems: string[] = []
  for (const { name, tls } of settings.inbound) {
    if (tls === undefined) continue
    const pem = await readPem(tls)
    if (typeof pem === 'string') problems.push(`inbound listener \`${name}\`: ${pem}`)
    else pems.set(name, { ...pem, clientAuthorities: authoritiesOf(tls) })
  }
  if (problems.length > 0) throw new PerimeterError('RF_SETTINGS', problems.join('\n'))
  return pems
}

function authoritiesOf({ clientCertificates }: ListenerTls): readonly string[] | undefined {
  return clientCertificates?.authorities.flatMap(({ certificates }) => certificates)
}

/** The files that make a difference when they change. */
export function secureContextFiles(settings: Settings): readonly string[] {
  return settings.inbound.flatMap(({ tls }) =>
    tls === undefined ? [] : [tls.certificateFile, tls.keyFile],
  )
}

async function readPem({ certificateFile, keyFile }: ListenerTls): Promise<ListenerPem | string> {
  const cert = await readText(certificateFile)
  if (cert === undefined) return `the certificate \`${certificateFile}\` cannot be read`
  const key = await readText(keyFile)
  if (key === undefined) return `the key \`${keyFile}\` cannot be read`
  try {
    createSecureContext({ cert, key })
  } catch {
    // OpenSSL's own words name no file and may quote the input.
    return `the certificate \`${certificateFile}\` and the key \`${keyFile}\` are no PEM or do not belong together`
  }
  return { cert, key }
}

async function readText(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined)
}
