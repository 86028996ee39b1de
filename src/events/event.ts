import type { EventHandle } from "./handle.ts";
import { droppedReason } from "./outcome.ts";
import type { Slot } from "./table.ts";

/** The events of which one is part. */
export interface EventHost {
  /** See {@link Event.trigger}. */
  trigger(handle: EventHandle, value: unknown): void;
  /** See {@link Event.poison}. */
  poison(handle: EventHandle, reason: string): void;
}

/**
 * An event of this instance: it is triggered or poisoned once, and whoever has its handle can await that, here or on
 * any other instance.
 *
 * Leaving it by `using` poisons it if nothing else has happened, so nobody waits for it for ever.
 *
 * @example Usage
 * ```ts
 * import { EventManager } from "zeromesh";
 *
 * const events = EventManager.local();
 * using ready = events.newEvent();
 * const waiting = events.awaiter(ready.handle);
 * ready.trigger({ port: 80 });
 * console.log(await waiting); // { port: 80 }
 * ```
 */
export class Event implements Disposable {
  /** Its handle, for awaiters anywhere. */
  readonly handle: EventHandle;
  readonly #events: EventHost;
  readonly #slot: Slot;
  #armed = true;

  /** Made by `newEvent()`. */
  constructor(events: EventHost, slot: Slot) {
    this.#events = events;
    this.#slot = slot;
    this.handle = slot.handle;
  }

  /**
   * Triggers it: those who wait go on. An event that was triggered before stays as it is.
   *
   * @param value What they get; anything with JSON, at most `maxValueBytes` of it. Plain Velo instances get none.
   * @throws {ZeromeshError} `EVENT_POISONED`, `ENCODING_FAILED`, `PAYLOAD_TOO_LARGE`.
   */
  trigger(value?: unknown): void {
    this.#events.trigger(this.handle, value);
  }

  /**
   * Poisons it: those who wait fail with `EVENT_POISONED` and the reason. The first reason stands.
   *
   * @throws {ZeromeshError} `EVENT_COMPLETED` when it was triggered before.
   */
  poison(reason: string): void {
    this.#events.poison(this.handle, reason);
  }

  /** The handle; from now on disposing of the event leaves it pending. */
  intoHandle(): EventHandle {
    this.#armed = false;
    return this.handle;
  }

  /** Poisons the event if it is still pending. */
  [Symbol.dispose](): void {
    const slot = this.#slot;
    if (!this.#armed || !slot.pending || slot.handle !== this.handle) return;
    this.#events.poison(this.handle, droppedReason);
  }
}
