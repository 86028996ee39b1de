import type { CancelTimer, Clock } from "../../core/mod.ts";

/** The call of a {@link PauseWatch}. */
export interface PausedCall {
  /** Whether a pause counts: not while its caller has items to read. Null when none counts any more. */
  readonly pausing: boolean | null;
  /** There was no item for too long. */
  paused(ms: number): void;
}

/** Ends a call after a pause without an item: `idleTimeoutMs`. */
export class PauseWatch {
  readonly #call: PausedCall;
  readonly #clock: Clock;
  readonly #ms: number;
  #movedAt = 0;
  #cancel: CancelTimer | null = null;

  constructor(call: PausedCall, clock: Clock, ms: number) {
    this.#call = call;
    this.#clock = clock;
    this.#ms = ms;
  }

  /** An item was sent or taken. */
  readonly moved = (): void => void (this.#movedAt = this.#clock.now());

  /** Starts with the acceptance of the call. */
  start(): void {
    this.moved();
    this.#look();
  }

  /** Ends the watch. */
  stop(): void {
    this.#cancel?.();
  }

  #look(): void {
    const { pausing } = this.#call;
    if (pausing === null) return;
    const now = this.#clock.now();
    if (!pausing) this.#movedAt = now;
    const left = this.#movedAt + this.#ms - now;
    if (left > 0) this.#cancel = this.#clock.after(left, () => this.#look());
    else this.#call.paused(this.#ms);
  }
}
