import type { CancelSignal } from '../../src/transport/cancellation.ts'

/** Resolves when it is given, and at once where there is none. */
export async function whenAborted(signal: CancelSignal | undefined): Promise<void> {
  if (signal === undefined) return
  await new Promise<void>((resolve) => signal.addEventListener('abort', resolve))
}
