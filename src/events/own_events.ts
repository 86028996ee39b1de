import type { Deadlines, InstanceId } from "../core/mod.ts";
import { ZeromeshError } from "../core/mod.ts";
import { Event } from "./event.ts";
import type { EventHandle } from "./handle.ts";
import type { ResolvedEventOptions } from "./options.ts";
import {
  completedError,
  type EventStatus,
  type Outcome,
  poisonedError,
  poisonedWith,
  statusOf,
  triggeredWith,
  unknownError,
} from "./outcome.ts";
import { EventTable, type Slot, type TableStats } from "./table.ts";
import type { AwaiterOptions } from "./waiting.ts";

/** Observers of {@link OwnEvents}. */
export interface OwnEventsHooks {
  /** An event with subscribers ends. */
  completed(slot: Slot, handle: EventHandle, outcome: Outcome): void;
  /** The number of awaited events in this process changes. */
  awaited(change: 1 | -1): void;
}

/** The events that this instance made, with their awaiters in this process. */
export class OwnEvents {
  readonly table: EventTable;
  readonly #options: ResolvedEventOptions;
  readonly #deadlines: Deadlines;
  readonly #hooks: OwnEventsHooks;
  #closed: string | null = null;
  #ended: ZeromeshError | null = null;

  /** @param local Whether the events exist in this process only. */
  constructor(
    owner: bigint,
    local: boolean,
    options: ResolvedEventOptions,
    deadlines: Deadlines,
    hooks: OwnEventsHooks,
  ) {
    this.table = new EventTable(owner, local, options);
    this.#options = options;
    this.#deadlines = deadlines;
    this.#hooks = hooks;
  }

  /** Makes an event. */
  create(): Event {
    if (this.#closed !== null) {
      throw new ZeromeshError("CLOSED", `Cannot make an event: the events were shut down (${this.#closed})`);
    }
    return new Event(this, this.table.create());
  }

  /** The outcome or the promise of an event; null when this instance did not make the handle. */
  await(handle: EventHandle, options: AwaiterOptions | undefined): Promise<unknown> | null {
    const slot = this.table.find(handle);
    if (slot === null) return this.#awaitCompleted(handle);
    if (this.#ended !== null) return Promise.reject(this.#ended);
    if (slot.idle) this.#hooks.awaited(1);
    if (options?.signal === undefined && (options?.timeoutMs ?? Infinity) === Infinity) return slot.promise();
    return slot.conditional(handle, options ?? {}, this.#deadlines, () => this.#hooks.awaited(-1));
  }

  #awaitCompleted(handle: EventHandle): Promise<unknown> | null {
    if (!this.table.owns(handle)) return null;
    const outcome = this.table.outcomeOf(handle);
    if (outcome === null) return Promise.reject(neverMade(handle));
    if (outcome.reason !== null) return Promise.reject(poisonedError(handle, outcome.reason));
    return Promise.resolve(outcome.value);
  }

  /**
   * The state of an event; null when this instance did not make the handle.
   *
   * @throws {ZeromeshError} `EVENT_UNKNOWN`.
   */
  status(handle: EventHandle): EventStatus | null {
    if (this.table.find(handle) !== null) return { status: "pending" };
    if (!this.table.owns(handle)) return null;
    const outcome = this.table.outcomeOf(handle);
    if (outcome === null) throw neverMade(handle);
    return statusOf(outcome);
  }

  /**
   * Triggers an event. One that was triggered before stays unchanged.
   *
   * @throws {ZeromeshError} `EVENT_POISONED`, `EVENT_UNKNOWN`, `ENCODING_FAILED`, `PAYLOAD_TOO_LARGE`.
   */
  trigger(handle: EventHandle, value: unknown): void {
    const slot = this.table.find(handle);
    if (slot !== null) return this.complete(slot, triggeredWith(value, this.#options.maxValueBytes));
    const outcome = this.#completedOutcome(handle);
    if (outcome.reason !== null) throw poisonedError(handle, outcome.reason);
  }

  /**
   * Poisons an event. One that was poisoned before keeps its reason.
   *
   * @throws {ZeromeshError} `EVENT_COMPLETED` when it was triggered, `EVENT_UNKNOWN`.
   */
  poison(handle: EventHandle, reason: string): void {
    const outcome = poisonedWith(reason);
    const slot = this.table.find(handle);
    if (slot !== null) return this.complete(slot, outcome);
    if (this.#completedOutcome(handle).reason === null) throw completedError(handle);
  }

  /** Completes a pending event. @param by The instance whose message does; null for this instance. */
  complete(slot: Slot, outcome: Outcome, by: InstanceId | null = null): void {
    const { handle } = slot;
    if (!slot.idle) this.#hooks.awaited(-1);
    if (slot.subscribers !== null) this.#hooks.completed(slot, handle, outcome);
    this.table.complete(slot, outcome, by);
  }

  /** Poisons all pending events; no new ones can be made. */
  shutdown(reason: string): void {
    if (this.#closed !== null) return;
    this.#closed = reason;
    const outcome = poisonedWith(reason);
    for (const slot of this.table.pending()) this.complete(slot, outcome);
  }

  /** Fails the awaiters; the events stay as they are, and can no longer be completed. */
  close(error: ZeromeshError): void {
    this.#closed ??= error.message;
    this.#ended = error;
    for (const slot of this.table.pending()) {
      if (slot.idle) continue;
      slot.fail(error);
      this.#hooks.awaited(-1);
    }
  }

  stats(): TableStats {
    return this.table.stats();
  }

  #completedOutcome(handle: EventHandle): Outcome {
    const outcome = this.table.outcomeOf(handle);
    if (outcome === null) throw neverMade(handle);
    return outcome;
  }
}

function neverMade(handle: EventHandle): ZeromeshError {
  return unknownError(handle, "its owner never made it");
}
