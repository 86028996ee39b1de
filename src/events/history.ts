import { hasShare, type InstanceId } from "../core/mod.ts";
import type { EventHandle } from "./handle.ts";
import type { Outcome } from "./outcome.ts";

interface Entry {
  readonly outcome: Outcome;
  readonly by: InstanceId | null;
}

/**
 * How the last events ended that have a reason or a value. What one instance has ended by its messages takes a share of
 * the places: beyond that its own oldest entry is forgotten, and nobody else's.
 */
export class History {
  readonly #limit: number;
  // Maps and sets iterate in the order in which entries came: the first is the oldest.
  readonly #entries = new Map<EventHandle, Entry>();
  readonly #byInstance = new Map<InstanceId, Set<EventHandle>>();
  #forgotten = 0;

  /** @param limit The most entries. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Entries kept. */
  get size(): number {
    return this.#entries.size;
  }

  /** Entries forgotten since the start, for want of room. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** How an event ended, if that is kept. */
  get(handle: EventHandle): Outcome | undefined {
    return this.#entries.get(handle)?.outcome;
  }

  /** Keeps how an event ended, and by whose message; null for this side's own doing. */
  add(handle: EventHandle, outcome: Outcome, by: InstanceId | null): void {
    const { size } = this.#entries;
    const theirs = by === null ? undefined : this.#byInstance.get(by);
    if (theirs !== undefined && !hasShare(theirs.size, size, this.#limit)) this.#forget(theirs);
    else if (size >= this.#limit) this.#forget(this.#entries);
    this.#entries.set(handle, { outcome, by });
    if (by === null) return;
    const set = this.#byInstance.get(by) ?? new Set<EventHandle>();
    this.#byInstance.set(by, set.add(handle));
  }

  /** Forgets the oldest of some. */
  #forget(among: Pick<Set<EventHandle>, "keys">): void {
    for (const oldest of among.keys()) {
      const by = this.#entries.get(oldest)?.by ?? null;
      this.#entries.delete(oldest);
      this.#forgotten++;
      if (by === null) return;
      const theirs = this.#byInstance.get(by);
      theirs?.delete(oldest);
      if (theirs?.size === 0) this.#byInstance.delete(by);
      return;
    }
  }
}
