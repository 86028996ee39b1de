import type { Histogram, Recorder, TurnClock, TurnTask } from "../../core/mod.ts";

// Asking the time costs 50 to 140 ns, twice for each handler that is timed: where handlers take long, or messages come
// one by one, that is nothing, and all are timed.
const timedOneIn = 16;
const longSeconds = 100e-6;
const denseTurn = 4;

/** How long a handler takes, or a call of it: by whether it succeeded. No series without a value. */
export class Durations implements TurnTask {
  readonly #histogram: Histogram;
  readonly #handler: string;
  #ok: Recorder | null = null;
  #error: Recorder | null = null;
  #turn = -1;
  #inTurn = 0;
  #untimed = 0;
  #last = Infinity;
  #alikeOk = 0;
  #alikeError = 0;

  /** @param handler The label. */
  constructor(histogram: Histogram, handler: string) {
    this.#histogram = histogram;
    this.#handler = handler;
  }

  /** Whether the next one is timed: each is, but of many short ones in a turn one in sixteen. */
  isTimed(turn: TurnClock): boolean {
    let timed = this.#last > longSeconds || ++this.#untimed >= timedOneIn;
    if (turn.number !== this.#turn) {
      this.#turn = turn.number;
      timed ||= this.#inTurn < denseTurn;
      this.#inTurn = 0;
    }
    this.#inTurn++;
    if (timed) this.#untimed = 0;
    return timed;
  }

  /** Counts one. Many of a turn often took equally long, as far as its clock can tell. */
  record(ok: boolean, seconds: number, turn: TurnClock): void {
    if (seconds === this.#last) return this.recordLike(ok, turn);
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
