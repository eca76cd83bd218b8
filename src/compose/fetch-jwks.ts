import type { Dispatcher } from 'undici'
import type { FetchJwks } from '../identity/key-source.ts'
import { loadOnce } from '../load-once.ts'
import { KiB, seconds } from '../units.ts'

/** Takes its time to load, and few instances need it. */
const loadUndici = loadOnce(() => import('undici'))

/** Name, connection, TLS, head and body together: requests wait for it. */
const timeoutMs = seconds(5)

/** Entra's has 15 KiB. */
const maxBytes = 256 * KiB

const ok = 200

/**
 * Fetches an issuer's key set: one connection for each, no redirects, no environment's proxy, nothing but a 200, bounded
 * in time and size.
 */
export const fetchJwks: FetchJwks = async (url) => {
  const { Agent, request } = await loadUndici()
  const signal = AbortSignal.timeout(timeoutMs)
  const dispatcher = new Agent({
    connect: { timeout: timeoutMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: maxBytes,
    pipelining: 0,
  })
  try {
    const headers = { accept: 'application/json' }
    const { statusCode, body } = await request(url, { dispatcher, signal, headers })
    if (statusCode !== ok) throw new Error(`the answer is a ${statusCode}`)
    return await readWhole(body)
  } finally {
    // Also ends what was not read.
    await dispatcher.destroy().catch(ignore)
  }
}

async function readWhole(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = []
  let total = 0
  for await (const chunk of body) {
    if (!Buffer.isBuffer(chunk)) throw new Error('the answer is no bytes')
    total += chunk.length
    if (total > maxBytes) throw new Error('the answer is too large')
    chunks.push(chunk)
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks, total))
}

function ignore(): void {}
