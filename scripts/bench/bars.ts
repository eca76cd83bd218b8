import type { Figure } from './figure.ts'

/** What must hold of Ringfence, and whether it does. */
export type Bar =
  /** Its cost, as a multiple of the peer's in the same run. */
  | {
      readonly kind: 'ratio'
      readonly scenario: string
      readonly peer: string
      readonly atMost: number
    }
  /** Its cost alone. */
  | {
      readonly kind: 'cost'
      readonly scenario: string
      readonly unit: Figure['unit']
      readonly atMost: number
    }

export const subject = 'ringfence'

const bars: readonly Bar[] = [
  { kind: 'ratio', scenario: 'reverse', peer: 'nginx', atMost: 1.4 },
  { kind: 'ratio', scenario: 'reverse', peer: 'haproxy', atMost: 1.3 },
  { kind: 'ratio', scenario: 'reverse', peer: 'squid', atMost: 0.35 },
  { kind: 'ratio', scenario: 'reverse', peer: 'http-proxy-3', atMost: 0.25 },
  { kind: 'ratio', scenario: 'tls', peer: 'haproxy', atMost: 1.4 },
  { kind: 'ratio', scenario: 'forward', peer: 'squid', atMost: 0.4 },
  { kind: 'ratio', scenario: 'forward', peer: 'proxy-chain', atMost: 0.15 },
  { kind: 'ratio', scenario: 'connect', peer: 'squid', atMost: 0.9 },
  { kind: 'ratio', scenario: 'connect', peer: 'proxy-chain', atMost: 0.75 },
  { kind: 'ratio', scenario: 'download', peer: 'haproxy-256k', atMost: 1.3 },
  { kind: 'ratio', scenario: 'upload', peer: 'haproxy', atMost: 1.3 },
  { kind: 'cost', scenario: 'idle', unit: 'KiB/tunnel', atMost: 24 },
  { kind: 'ratio', scenario: 'rate', peer: 'haproxy', atMost: 2 },
  { kind: 'cost', scenario: 'swap', unit: 'ms', atMost: 10 },
  { kind: 'cost', scenario: 'swaps', unit: '% of before', atMost: 110 },
  { kind: 'ratio', scenario: 'workers', peer: 'ringfence-1-worker', atMost: 1.15 },
  { kind: 'cost', scenario: 'workers', unit: '% on the busier', atMost: 65 },
  { kind: 'cost', scenario: 'workers', unit: '% of the time of one', atMost: 100 / 1.6 },
  { kind: 'cost', scenario: 'rest', unit: 'MiB', atMost: 110 },
  { kind: 'cost', scenario: 'rest', unit: 'MiB for each further worker', atMost: 30 },
]

/** How Ringfence stands beside one figure of its scenario. */
export interface Standing {
  /** Its cost as a multiple of this one's; undefined for its own figure, or without one. */
  readonly ratio: number | undefined
  readonly bar: Bar | undefined
  /** Undefined where no bar applies, or nothing was measured to hold it against. */
  readonly holds: boolean | undefined
}

/** @param figures all that were measured, among which `figure` is. */
export function standingOf(figure: Figure, figures: readonly Figure[]): Standing {
  const { scenario, candidate, cost, unit } = figure
  if (candidate === subject) {
    const bar = bars.find(
      (one) => one.scenario === scenario && one.kind === 'cost' && one.unit === unit,
    )
    return { ratio: undefined, bar, holds: bar === undefined ? undefined : cost <= bar.atMost }
  }
  const own = figures.find((one) => one.scenario === scenario && one.candidate === subject)
  if (own === undefined) return { ratio: undefined, bar: undefined, holds: undefined }
  const ratio = own.cost / cost
  const bar = bars.find(
    (one) => one.scenario === scenario && one.kind === 'ratio' && one.peer === candidate,
  )
  return { ratio, bar, holds: bar === undefined ? undefined : ratio <= bar.atMost }
}
