import type { Hostname } from '../wire/hostname.ts'

export interface NameTurnsOptions {
  /** Names that have their turn at a time. */
  readonly atOnce: number
  /** Names that wait for it. */
  readonly waiting: number
}

/** The turn of one name: it waits, it has it, or it is over. */
export interface NameTurn {
  /** Gives it back, or up. A second call does nothing. */
  leave(): void
}

/** What names under one domain may have of everything: an eighth. */
const shareOfDomain = 8

interface Domain {
  having: number
  waiting: number
}

interface Waiter {
  readonly domain: string
  readonly begin: () => void
}

/**
 * Turns for names that are to be asked for, first come, first served, with a bound on those of one domain (its last two
 * labels). THREAT: a rule with a wildcard lets out any number of names, and whoever runs their name servers can leave each
 * of them unanswered; nobody else may have to wait for them.
 */
export class NameTurns {
  readonly #options: NameTurnsOptions
  readonly #waiting = new Set<Waiter>()
  /** Those that have something. */
  readonly #domains = new Map<string, Domain>()
  #having = 0

  constructor(options: NameTurnsOptions) {
    this.#options = options
  }

  /** Calls `begin` at once or when it is its turn. Undefined: too many wait already. */
  enter(name: Hostname, begin: () => void): NameTurn | undefined {
    const { atOnce, waiting } = this.#options
    const domain = domainOf(name)
    const own = this.#domains.get(domain) ?? { having: 0, waiting: 0 }
    const waiter = { domain, begin }
    if (this.#having < atOnce && own.having < shareOf(atOnce)) {
      this.#begin(waiter, own)
    } else if (this.#waiting.size < waiting && own.waiting < shareOf(waiting)) {
      own.waiting++
      this.#waiting.add(waiter)
    } else {
      return undefined
    }
    this.#domains.set(domain, own)
    return { leave: this.#leaving(waiter, own) }
  }

  #leaving(waiter: Waiter, own: Domain): () => void {
    let hasLeft = false
    return () => {
      if (hasLeft) return
      hasLeft = true
      if (this.#waiting.delete(waiter)) {
        own.waiting--
      } else {
        own.having--
        this.#having--
      }
      if (own.having + own.waiting === 0) this.#domains.delete(waiter.domain)
      this.#startNext()
    }
  }

  #begin(waiter: Waiter, own: Domain): void {
    own.having++
    this.#having++
    waiter.begin()
  }

  #startNext(): void {
    const { atOnce } = this.#options
    if (this.#having >= atOnce) return
    for (const waiter of this.#waiting) {
      const own = this.#domains.get(waiter.domain)
      if (own === undefined || own.having >= shareOf(atOnce)) continue
      this.#waiting.delete(waiter)
      own.waiting--
      this.#begin(waiter, own)
      return
    }
  }
}

function shareOf(all: number): number {
  return Math.max(1, Math.floor(all / shareOfDomain))
}

function domainOf(name: Hostname): string {
  const last = name.lastIndexOf('.')
  return name.slice(name.lastIndexOf('.', last - 1) + 1)
}
