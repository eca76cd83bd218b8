import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { MiB } from '../units.ts'

/** Room for about a million prefixes; beyond it a file is a mistake, and parsing it would stall the process. */
export const maxDocumentBytes = 32 * MiB

export type ReadText =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'unreadable'; readonly message: string }

/** Reads a whole file of UTF-8 text within bounds. Never rejects: what is wrong comes back as one sentence. */
export async function readText(file: string, maxBytes = maxDocumentBytes): Promise<ReadText> {
  const bytes = await readBytes(file, maxBytes)
  if (typeof bytes === 'string') return unreadable(bytes)
  if (bytes.includes(0)) return unreadable('the file is binary, not text')
  try {
    return { kind: 'text', text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch {
    return unreadable('the file is not UTF-8 text')
  }
}

function unreadable(message: string): ReadText {
  return { kind: 'unreadable', message }
}

async function readBytes(file: string, maxBytes: number): Promise<Buffer | string> {
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = await handle.stat()
    if (stat.isDirectory()) return 'this is a directory, not a file'
    if (!stat.isFile()) return 'this is not a regular file'
    const tooLarge = `the file is larger than ${maxBytes / MiB} MiB`
    if (stat.size > maxBytes) return tooLarge
    const chunks: Buffer[] = []
    let total = 0
    for (;;) {
      // Read on past `size`: it may grow meanwhile, and files of procfs say 0.
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(chunkBytes(stat.size)))
      if (bytesRead === 0) return Buffer.concat(chunks, total)
      chunks.push(buffer.subarray(0, bytesRead))
      total += bytesRead
      if (total > maxBytes) return tooLarge
    }
  } catch (error) {
    return describeFileError(error)
  }
}

function chunkBytes(size: number): number {
  return Math.max(4096, Math.min(size + 1, MiB))
}

/** An error of the file system as one sentence. */
function describeFileError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'the file does not exist'
  if (code === 'EACCES' || code === 'EPERM') return 'the file may not be read by this user'
  if (code === 'ELOOP') return 'the file is a symbolic link that leads to itself'
  return `the file cannot be read (${typeof code === 'string' ? code : 'unknown error'})`
}
