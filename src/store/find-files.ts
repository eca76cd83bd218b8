import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname, join, parse, resolve, sep } from 'node:path'

export interface FoundFiles {
  /** Absolute, sorted, each once. */
  readonly files: readonly string[]
  /** Directories whose entries were looked at: a new file shows there. */
  readonly directories: readonly string[]
}

/**
 * Finds the files that a pattern names. `*` and `?` match within one name and never a leading dot, so that the hidden
 * directories of a Kubernetes ConfigMap are passed over. Never rejects: what cannot be read holds nothing.
 */
export async function findFiles(pattern: string, directory: string): Promise<FoundFiles> {
  const absolute = resolve(directory, pattern)
  const { root } = parse(absolute)
  const parts = absolute.slice(root.length).split(sep)
  const last = parts.pop() ?? ''
  const directories = new Set<string>()
  let current: readonly string[] = [root]
  for (const part of parts) current = await step(current, part, directories)
  const candidates = await step(current, last, directories)
  const files: string[] = []
  for (const candidate of candidates) {
    directories.add(dirname(candidate))
    // Whatever it is: reading it gives the problem its words. A document that turned into something else and was passed
    // over would take its perimeter away without a word.
    files.push(candidate)
  }
  for (const parent of current) directories.add(parent)
  return { files: files.sort(), directories: [...directories].sort() }
}

async function step(
  parents: readonly string[],
  part: string,
  directories: Set<string>,
): Promise<readonly string[]> {
  if (!isPattern(part)) return parents.map((parent) => join(parent, part))
  const found: string[] = []
  for (const parent of parents) {
    directories.add(parent)
    for (const entry of await entriesOf(parent)) {
      if (!entry.name.startsWith('.') && matches(entry.name, part))
        found.push(join(parent, entry.name))
    }
  }
  return found
}

function isPattern(part: string): boolean {
  return part.includes('*') || part.includes('?')
}

/** Whether a name is of the pattern. Goes back to the last star only, so its time is at most the product of both lengths. */
function matches(name: string, pattern: string): boolean {
  let at = 0
  let inPattern = 0
  let star = -1
  let afterStar = 0
  while (at < name.length) {
    if (pattern[inPattern] === '*') {
      star = inPattern++
      afterStar = at
    } else if (pattern[inPattern] === '?' || pattern[inPattern] === name[at]) {
      inPattern++
      at++
    } else if (star !== -1) {
      inPattern = star + 1
      at = ++afterStar
    } else return false
  }
  while (pattern[inPattern] === '*') inPattern++
  return inPattern === pattern.length
}

async function entriesOf(directory: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true })
  } catch {
    return []
  }
}
