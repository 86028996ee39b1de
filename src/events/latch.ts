import { checkArgument, option, ZeromeshError } from "../core/mod.ts";
import type { Event } from "./event.ts";
import type { EventHandle } from "./handle.ts";
import { droppedReason } from "./outcome.ts";
import { merge, type MergeHost } from "./merge.ts";

/**
 * A countdown latch: an event that merges one event for each arrival.
 *
 * @example Usage
 * ```ts
 * import { EventManager } from "zeromesh";
 *
 * const events = EventManager.local();
 * const latch = events.latch(2);
 * latch.arrive();
 * latch.arrive();
 * await events.awaiter(latch.handle);
 * ```
 */
export class Latch implements Disposable {
  /** The handle of the merged event: triggered when all have arrived, poisoned when one part is. */
  readonly handle: EventHandle;
  /** The handles of the parts. The holder of one triggers it instead of calling {@link Latch.arrive}. */
  readonly parts: readonly EventHandle[];
  readonly #events: readonly Event[];
  #next = 0;

  /** Use `latch(n)`. */
  constructor(host: MergeHost, count: number) {
    checkArgument("count", count, option.whole(1, 2 ** 31), "Cannot make a latch");
    this.#events = Array.from({ length: count }, () => host.newEvent());
    this.parts = this.#events.map((event) => event.handle);
    this.handle = merge(host, this.parts);
  }

  /** Arrivals still missing, as counted by {@link Latch.arrive}. */
  get remaining(): number {
    return this.#events.length - this.#next;
  }

  /**
   * Counts one arrival: triggers the next part.
   *
   * @throws {ZeromeshError} `EVENT_COMPLETED` after the last arrival; `EVENT_POISONED` when that part is poisoned.
   */
  arrive(): void {
    const event = this.#events[this.#next];
    if (event === undefined) {
      throw new ZeromeshError(
        "EVENT_COMPLETED",
        `Cannot arrive at the latch: all ${this.#events.length} arrivals have happened`,
      );
    }
    this.#next++;
    event.trigger();
  }

  /** Poisons all pending parts. */
  poison(reason: string): void {
    this.#next = this.#events.length;
    for (const event of this.#events) {
      try {
        event.poison(reason);
      } catch (error) {
        if (!(error instanceof ZeromeshError)) throw error;
      }
    }
  }

  /** Poisons all pending parts. */
  [Symbol.dispose](): void {
    this.poison(droppedReason);
  }
}
