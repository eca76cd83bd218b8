import { readText } from '../documents/read-text.ts'
import { PerimeterError } from '../errors.ts'
import { parseProxyCredentials } from '../settings/proxy-credentials.ts'
import type { Settings } from '../settings/settings.ts'
import { MiB } from '../units.ts'

/**
 * Reads what the upstream proxy wants to see, so that no request waits for a disk; undefined where settings name no file.
 * Throws `PerimeterError` RF_SETTINGS where it cannot be read any more: `check` has read it a moment ago.
 */
export async function readProxyAuthorization({ egress }: Settings): Promise<string | undefined> {
  const file = egress.upstreamProxy?.credentialsFile
  if (file === undefined) return undefined
  const read = await readText(file, MiB)
  const found = read.kind === 'text' ? parseProxyCredentials(read.text) : undefined
  if (found !== undefined) return found
  const problem = read.kind === 'text' ? 'the file is not one line `user:password`' : read.message
  throw new PerimeterError('RF_SETTINGS', `\`egress.upstreamProxy\`: \`${file}\`: ${problem}`)
}
