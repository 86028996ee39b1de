import { hasShare, type InstanceId } from "../core/mod.ts";
import type { EventHandle } from "./handle.ts";
import type { Outcome } from "./outcome.ts";

interface Entry {
  readonly outcome: Outcome;
  readonly by: InstanceId | null;
}

/**
 * Outcomes of the last events that have a reason or a value. Events that one peer's messages ended have a share of the
 * places: beyond it, that peer's own oldest entry is forgotten.
 */
export class History {
  readonly #limit: number;
  // Maps and sets iterate in insertion order: the first entry is the oldest.
  readonly #entries = new Map<EventHandle, Entry>();
  readonly #byInstance = new Map<InstanceId, Set<EventHandle>>();
  #forgotten = 0;

  /** @param limit The most entries. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Entries forgotten at the limit since the start. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** The outcome of an event, if it is kept. */
  get(handle: EventHandle): Outcome | undefined {
    return this.#entries.get(handle)?.outcome;
  }

  /** Keeps an outcome, with the instance whose message ended the event; null for this instance. */
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

  /** Forgets the oldest of these entries. */
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
