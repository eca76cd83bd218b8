/** What a load has done; each program in `load/` prints one as JSON when it ends. */
export interface LoadResult {
  /** Requests, tunnels or GB (1e9 bytes). */
  readonly units: number
  readonly seconds: number
  readonly p50Ms?: number
  readonly p99Ms?: number
}
