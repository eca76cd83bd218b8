/** Pieces of lines that recur, by what makes the difference; undefined where there is nothing that could. */
export type KeptTexts = Map<string | undefined, string>

/** Clients choose methods and hosts: however many they think of, this is all that is kept of them. */
const maxKept = 16
const maxKeyLength = 256

/** Keeps an ASCII text and gives it as one piece of memory. With too many kept, keeping begins anew. */
export function keep(kept: KeptTexts, key: string | undefined, ascii: string): string {
  const text = flat(ascii)
  if (key !== undefined && key.length > maxKeyLength) return text
  if (kept.size >= maxKept) kept.clear()
  kept.set(key, text)
  return text
}

/** One piece of memory: the engine keeps joined strings as trees, and would walk the tree for each record. */
export function flat(ascii: string): string {
  return Buffer.from(ascii, 'latin1').toString('latin1')
}
