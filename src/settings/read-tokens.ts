import { resolve } from 'node:path'
import type { Findings } from '../documents/findings.ts'
import type { Path } from '../documents/problem.ts'
import { readText } from '../documents/read-text.ts'
import { type Guid, parseGuid } from '../perimeter/guid.ts'
import { quote } from '../perimeter/quote.ts'
import { hashCanonical } from '../policy/canonical-hash.ts'
import { MiB } from '../units.ts'
import { parseAddress } from '../wire/address.ts'
import { classifyAddress } from '../wire/address-class.ts'
import { parseJwks } from '../wire/jwks.ts'
import type { IssuerValue, TokensValue } from './schema.ts'
import type { Speaker, TokenIssuer, TokenKeys, TokenSettings } from './settings.ts'

/** `identity.tokens` as read, with what each issuer may speak for. */
export interface ReadTokens {
  readonly tokens: TokenSettings | undefined
  readonly speakers: ReadonlyMap<string, Speaker>
  /** Key files that were read. */
  readonly files: readonly string[]
}

interface Context {
  readonly path: Path
  /** Relative paths start here. */
  readonly directory: string
  readonly findings: Findings
}

/** Reads `identity.tokens` and the key files that it names. What is wrong is reported. */
export async function readTokens(
  value: TokensValue | undefined,
  context: Omit<Context, 'path'>,
): Promise<ReadTokens> {
  const speakers = new Map<string, Speaker>()
  const issuers: TokenIssuer[] = []
  const files: string[] = []
  if (value === undefined) return { tokens: undefined, speakers, files }
  for (const [index, written] of value.issuers.entries()) {
    const path: Path = ['identity', 'tokens', 'issuers', index]
    const { findings } = context
    if (issuers.some(({ issuer }) => issuer === written.issuer)) {
      findings.error([...path, 'issuer'], `the issuer ${quote(written.issuer)} is declared twice`)
    }
    const { keys, file } = await readKeys(written, { ...context, path })
    if (file !== undefined) files.push(file)
    const { issuer, algorithms, clockToleranceMs } = written
    // INVARIANT (a proof counts as long as its token would be verified): whatever decides that has a part in the key.
    const speaker = `token:${hashCanonical({ issuer, algorithms, keys: sourceOf(keys) })}`
    issuers.push({ speaker, issuer, algorithms, clockToleranceMs, keys })
    speakers.set(speaker, readSpeaker(written, { ...context, path }))
  }
  return { tokens: { header: value.header.toLowerCase(), issuers }, speakers, files }
}

/** How often keys are fetched says nothing about which of them are the issuer's. */
function sourceOf(keys: TokenKeys): unknown {
  return keys.kind === 'url' ? keys.url : keys.keys
}

function readSpeaker(value: IssuerValue, { path, findings }: Context): Speaker {
  const perimeters = value.perimeters.flatMap((text, index) => {
    const guid = parseGuid(text)
    if (guid !== undefined) return [guid]
    findings.error([...path, 'perimeters', index], `${quote(text)} is not the GUID of a perimeter`)
    return []
  })
  const subscriptions = value.subscriptions.flatMap((text, index) => {
    const guid = readSubscription(text)
    if (guid !== undefined) return [guid]
    findings.error([...path, 'subscriptions', index], `${quote(text)} is not a subscription`)
    return []
  })
  if (value.subscriptions.length === 0) {
    findings.warning(
      path,
      'this issuer may speak for no subscription, so that none of its tokens says who calls; list `subscriptions`',
    )
  }
  return { perimeters, subscriptions, audiences: value.audiences }
}

/** A GUID, or `/subscriptions/{guid}` as rules spell it. */
function readSubscription(text: string): Guid | undefined {
  return parseGuid(text.replace(/^\/subscriptions\//i, ''))
}

async function readKeys(
  value: IssuerValue,
  { path, directory, findings }: Context,
): Promise<{ readonly keys: TokenKeys; readonly file?: string }> {
  const { jwksUrl, jwksFile } = value
  const none: TokenKeys = { kind: 'file', keys: [] }
  if (jwksUrl !== undefined && jwksFile !== undefined) {
    findings.error(
      [...path, 'jwksFile'],
      'an issuer has a `jwksUrl` or a `jwksFile`, not both',
      'key',
    )
    return { keys: none }
  }
  if (jwksUrl !== undefined) {
    checkUrl(jwksUrl, { path: [...path, 'jwksUrl'], findings })
    const { jwksRefreshMs: refreshMs, jwksOutageMs: outageMs, jwksIntervalMs: intervalMs } = value
    return { keys: { kind: 'url', url: jwksUrl, refreshMs, outageMs, intervalMs } }
  }
  if (jwksFile === undefined) {
    findings.error(path, 'an issuer needs a `jwksUrl` or a `jwksFile`, where its public keys are')
    return { keys: none }
  }
  const file = resolve(directory, jwksFile)
  const read = await readText(file, MiB)
  const keys = read.kind === 'text' ? parseJwks(read.text) : undefined
  if (keys !== undefined) return { keys: { kind: 'file', keys }, file }
  const message =
    read.kind === 'text'
      ? 'the file holds no JSON Web Key Set with public keys for signatures'
      : read.message
  findings.error([...path, 'jwksFile'], message)
  return { keys: none, file }
}

/** THREAT: whoever can answer in place of the issuer makes tokens for everything that it may speak for. */
function checkUrl(
  text: string,
  { path, findings }: { readonly path: Path; readonly findings: Findings },
): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url !== undefined && url.username + url.password + url.hash === ''
  if (isPlain && url.protocol === 'https:') return
  if (isPlain && url.protocol === 'http:' && isLoopback(url.hostname)) return
  findings.error(
    path,
    `${quote(text)} is no place for keys; write an \`https:\` URL, or \`http:\` on a loopback address`,
  )
}

function isLoopback(hostname: string): boolean {
  const address = parseAddress(hostname.replace(/^\[|\]$/g, ''))
  return address !== undefined && classifyAddress(address) === 'loopback'
}
