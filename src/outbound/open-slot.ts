import { type Judged, OpenEntry } from '../transport/connections.ts'

/**
 * Stands among what is open for all requests of one connection, one after the other: a table that each request entered
 * and left would be work for every one of them, and for the collector.
 */
export class OpenSlot implements Judged {
  /** What is open at the moment; while nothing is, there is nothing to be judged. */
  current: Judged | undefined
  readonly entry = new OpenEntry()

  judge(): boolean {
    return this.current?.judge() ?? true
  }

  revoke(): void {
    this.current?.revoke()
  }
}
