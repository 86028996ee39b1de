import type { Clock } from "./clock.ts";

/** Something to be done when a turn ends. */
export interface TurnTask {
  /** The turn has ended. */
  endTurn(): void;
}

/** Time that is asked once a turn of the event loop, since asking costs 50 to 140 ns. */
export class TurnClock {
  readonly #clock: Clock;
  #now = 0;
  #fresh = false;
  #ending = false;
  #number = 0;
  readonly #tasks: TurnTask[] = [];

  /** @param clock The clock that is asked. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of this turn: another one in each that is noticed. */
  get number(): number {
    return this.#number;
  }

  /** Has a task called at the end of this turn. */
  atEnd(task: TurnTask): void {
    this.#awaitEnd();
    this.#tasks.push(task);
  }

  /** Milliseconds at the last {@link read} of this turn; asked now if there was none. */
  now(): number {
    return this.#fresh ? this.#now : this.read();
  }

  /** Milliseconds now. */
  read(): number {
    this.#now = this.#clock.now();
    this.#fresh = true;
    this.#awaitEnd();
    return this.#now;
  }

  #awaitEnd(): void {
    if (this.#ending) return;
    this.#ending = true;
    queueMicrotask(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#fresh = this.#ending = false;
    this.#number++;
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) task.endTurn();
  };
}
