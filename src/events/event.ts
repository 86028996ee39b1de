import type { EventHandle } from "./handle.ts";
import { droppedReason } from "./outcome.ts";
import type { Slot } from "./table.ts";

/** The manager of an event. */
export interface EventHost {
  /** See {@link Event.trigger}. */
  trigger(handle: EventHandle, value: unknown): void;
  /** See {@link Event.poison}. */
  poison(handle: EventHandle, reason: string): void;
}

/**
 * An event of this instance. It is triggered or poisoned once; holders of its handle can await that, on this instance
 * or another one.
 *
 * Leaving its scope by `using` poisons an event that is still pending, so that no awaiter waits for ever.
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
  /** The handle, for awaiters on every instance. */
  readonly handle: EventHandle;
  readonly #events: EventHost;
  readonly #slot: Slot;
  #armed = true;

  /** Use `newEvent()`. */
  constructor(events: EventHost, slot: Slot) {
    this.#events = events;
    this.#slot = slot;
    this.handle = slot.handle;
  }

  /**
   * Triggers the event: its awaiters resolve. An event that was triggered before stays unchanged.
   *
   * @param value The awaiters' result: a JSON value of at most `maxValueBytes`. Plain Velo instances get none.
   * @throws {ZeromeshError} `EVENT_POISONED`, `ENCODING_FAILED`, `PAYLOAD_TOO_LARGE`.
   */
  trigger(value?: unknown): void {
    this.#events.trigger(this.handle, value);
  }

  /**
   * Poisons the event: its awaiters fail with `EVENT_POISONED` and the reason. The first reason stands.
   *
   * @throws {ZeromeshError} `EVENT_COMPLETED` when it was triggered before.
   */
  poison(reason: string): void {
    this.#events.poison(this.handle, reason);
  }

  /** Returns the handle, and disposing the event leaves it pending from now on. */
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
