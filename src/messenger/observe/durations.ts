import type { Histogram, Recorder, TurnClock, TurnTask } from "../../core/mod.ts";

// Reading the clock costs 50 to 140 ns, twice for each timed handler. That does not matter for long handlers and single
// messages, which are all timed.
const timedOneIn = 16;
const longSeconds = 100e-6;
const denseTurn = 4;

/** Durations of a handler, or of calls to it, by success. Series are made with their first value. */
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

  /** Whether to time the next one: all are timed, except that of many short ones in a turn one in sixteen is. */
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

  /** Records one. Several of a turn often have the same duration within the clock's resolution. */
  record(ok: boolean, seconds: number, turn: TurnClock): void {
    if (seconds === this.#last) return this.recordLike(ok, turn);
    this.endTurn();
    this.#last = seconds;
    this.#recorder(ok).record(seconds);
  }

  /** Records one with the duration of the last one timed. */
  recordLike(ok: boolean, turn: TurnClock): void {
    if (this.#alikeOk + this.#alikeError === 0) turn.atEnd(this);
    if (ok) this.#alikeOk++;
    else this.#alikeError++;
  }

  /** Records those that had the last duration. */
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
