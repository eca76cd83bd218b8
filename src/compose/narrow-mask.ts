/** What a Unix socket is born with while a thread listens on it: its owner's alone. */
const narrow = 0o177

/**
 * Only the main thread may set the mask of the process: it is narrow while a thread opens its listeners, which widens what
 * its Unix sockets are allowed afterwards.
 */
export async function withNarrowMask<T>(work: () => Promise<T>): Promise<T> {
  const before = process.umask(narrow)
  try {
    return await work()
  } finally {
    process.umask(before)
  }
}
