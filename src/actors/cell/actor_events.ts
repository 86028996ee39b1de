import { Broadcast, type Clock, type DroppedEntries, type SubscribeOptions } from "../../core/mod.ts";
import type { ActorId } from "../references/address.ts";
import type { ActorEnd } from "../references/actor_end.ts";

/** What has happened to an actor. */
export type ActorChange =
  | { readonly type: "started"; readonly contract: string; readonly version: number }
  | { readonly type: "handlerFailed"; readonly handler: string; readonly error: string }
  | { readonly type: "paused" | "resumed" }
  | {
    readonly type: "restarted";
    /** How often it was restarted. */
    readonly restarts: number;
  }
  | { readonly type: "updateStarted"; readonly source: string | null }
  | { readonly type: "updated"; readonly fromVersion: number; readonly toVersion: number }
  | { readonly type: "updateFailed"; readonly source: string | null; readonly error: string }
  | {
    readonly type: "rolledBack";
    readonly fromVersion: number;
    readonly toVersion: number;
    /** `migrateBack`: converted by it. `saved`: as it was at the swap. */
    readonly state: "migrateBack" | "saved";
    /** The handler's error that undid the update in its probation; null for a rollback by hand. */
    readonly error: string | null;
  }
  | { readonly type: "ended"; readonly end: ActorEnd };

/** A change with the actor that it happened to. */
export type ActorEvent = ActorChange & {
  /** The actor's id. */
  readonly actor: ActorId;
  /** Its name; null without one. */
  readonly name: string | null;
  /** Counts the actor's events, from 1 and without a gap. */
  readonly seq: number;
  /** The time, in milliseconds since 1970. */
  readonly at: number;
};

/** An actor, as its events need it. */
export interface HasEvents {
  readonly id: ActorId;
  readonly name: string | null;
  /** Events since its start; kept by {@link ActorEvents}. */
  events: number;
}

/** The events of a system's actors. */
export class ActorEvents {
  readonly #clock: Clock;
  readonly #all = new Broadcast<ActorEvent>();
  readonly #listeners = new Set<(event: ActorEvent, cell: HasEvents) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Tells the subscribers, and counts the event. */
  publish(cell: HasEvents, change: ActorChange): void {
    const seq = ++cell.events;
    if (this.#all.subscribers === 0 && this.#listeners.size === 0) return;
    const event = { ...change, actor: cell.id, name: cell.name, seq, at: this.#clock.wallNow() };
    this.#all.publish(event);
    for (const listener of this.#listeners) listener(event, cell);
  }

  /** Calls back for each event, until disposed of. The function must not throw. */
  listen(listener: (event: ActorEvent, cell: HasEvents) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Iterates over events from now on. */
  subscribe(options?: SubscribeOptions): AsyncIterableIterator<ActorEvent | DroppedEntries> {
    return this.#all.subscribe(options);
  }

  /** Ends the subscriptions. */
  close(): void {
    this.#all.close();
  }
}
