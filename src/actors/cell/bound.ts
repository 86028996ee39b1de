import { Alarm } from "../../core/mod.ts";
import type { CellHost } from "./parts.ts";

/** A time within which several things must end, one after the other. */
export class Bound {
  readonly #host: CellHost;
  readonly #over = Promise.withResolvers<void>();
  readonly #alarm: Alarm = new Alarm(() => this.#over.resolve());

  constructor(host: CellHost, ms: number) {
    this.#host = host;
    host.deadlines.add(this.#alarm, ms);
  }

  /** What is left of it, in milliseconds. */
  get leftMs(): number {
    return Math.max(0, this.#alarm.dueAt - this.#host.clock.now());
  }

  /** Resolves with the promise, or when the time is over. */
  wait(promise: Promise<void>): Promise<void> {
    return Promise.race([promise, this.#over.promise]);
  }

  /** Nothing waits any more. */
  end(): void {
    this.#host.deadlines.remove(this.#alarm);
  }
}
