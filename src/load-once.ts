/**
 * Loads at the first call and gives every later one the same. A load that fails is forgotten: what was wrong (no file
 * descriptor left, no memory) may be over at the next call, and a process that lives for months must not keep it.
 */
export function loadOnce<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined
  return () => {
    if (loading !== undefined) return loading
    const current = load()
    loading = current
    current.catch(() => {
      loading = undefined
    })
    return current
  }
}
