import type { Histogram, Recorder, TurnClock, TurnTask } from "../core/mod.ts";

// Asking the time costs 50 to 140 ns, twice for each handler that is timed.
const timedOneIn = 16;

/** How long a handler takes, or a call of it: by whether it succeeded. No series without a value. */
export class Durations implements TurnTask {
  readonly #histogram: Histogram;
  readonly #handler: string;
  #ok: Recorder | null = null;
  #error: Recorder | null = null;
  #turn = -1;
  #inTurn = 0;
  #last = 0;
  #alikeOk = 0;
  #alikeError = 0;

  /** @param handler The label. */
  constructor(histogram: Histogram, handler: string) {
    this.#histogram = histogram;
    this.#handler = handler;
  }

  /**
   * Whether the next handler that returns no promise is timed: the first of a turn, and then one in sixteen, since
   * the many of a dense turn are short.
   */
  isTimed(turn: TurnClock): boolean {
    if (turn.number !== this.#turn) {
      this.#turn = turn.number;
      this.#inTurn = 0;
    }
    return this.#inTurn++ % timedOneIn === 0;
  }

  /** Counts one. */
  record(ok: boolean, seconds: number): void {
    this.endTurn();
    this.#last = seconds;
    this.#recorder(ok).record(seconds);
  }

  /** Counts one that took as long as the last one that was timed. */
  recordLike(ok: boolean, turn: TurnClock): void {
    if (this.#alikeOk + this.#alikeError === 0) turn.atEnd(this);
    if (ok) this.#alikeOk++;
    else this.#alikeError++;
  }

  /** Counts those that were like the last one. */
  endTurn(): void {
    if (this.#alikeOk + this.#alikeError === 0) return;
    if (this.#alikeOk > 0) this.#recorder(true).record(this.#last, this.#alikeOk);
    if (this.#alikeError > 0) this.#recorder(false).record(this.#last, this.#alikeError);
    this.#alikeOk = this.#alikeError = 0;
  }

  #recorder(ok: boolean): Recorder {
    return ok
      ? this.#ok ??= this.#histogram.series(this.#handler, "ok")
      : this.#error ??= this.#histogram.series(this.#handler, "error");
  }
}
