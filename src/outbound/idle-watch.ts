/** Notices when nothing has moved for a while. `touch` is cheap enough for every chunk. */
export class IdleWatch {
  readonly #timer: NodeJS.Timeout

  /** `onIdle` is called once at most. */
  constructor(idleMs: number, onIdle: () => void) {
    this.#timer = setTimeout(onIdle, idleMs)
  }

  touch(): void {
    this.#timer.refresh()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
