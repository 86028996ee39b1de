import type { Clock } from "./clock.ts";

/** A task at the end of a turn. */
export interface TurnTask {
  /** The turn has ended. */
  endTurn(): void;
}

/** A clock that is read once a turn of the event loop, since a reading costs 50 to 140 ns. */
export class TurnClock {
  readonly #clock: Clock;
  #now = 0;
  #fresh = false;
  #ending = false;
  #number = 0;
  readonly #tasks: TurnTask[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of this turn: a new one in each turn in which the clock is used. */
  get number(): number {
    return this.#number;
  }

  /** Calls a task at the end of this turn. */
  atEnd(task: TurnTask): void {
    this.#awaitEnd();
    this.#tasks.push(task);
  }

  /** Milliseconds at the last {@link read} of this turn; reads the clock if there was none. */
  now(): number {
    return this.#fresh ? this.#now : this.read();
  }

  /** Reads the clock, in milliseconds. */
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
