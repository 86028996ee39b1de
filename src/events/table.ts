import { type InstanceId, ZeromeshError } from "../core/mod.ts";
import { type EventHandle, handleWords, joinHandle, localFlag, makeHandle, splitHandle } from "./handle.ts";
import { History } from "./history.ts";
import { type Outcome, triggered } from "./outcome.ts";
import { Waiting } from "./waiting.ts";

/** The subscriptions of one peer. */
export class PeerSubscriptions {
  readonly id: InstanceId;
  /** The events. */
  readonly slots: Set<Slot> = new Set<Slot>();

  constructor(id: InstanceId) {
    this.id = id;
  }
}

/** One index, whose successive events have successive generations. */
export class Slot extends Waiting {
  /** The current or last event of the index. */
  handle: EventHandle;
  /** Whether {@link handle} is pending. */
  pending = false;
  /** Subscribed instances: none, one, or several. */
  subscribers: PeerSubscriptions | Set<PeerSubscriptions> | null = null;
  /** Generation of {@link handle}. */
  generation = 0;

  /** @param base The handle of the index with generation 0. */
  constructor(base: EventHandle) {
    super();
    this.handle = base;
  }
}

/** Limits of an {@link EventTable}. */
export interface TableLimits {
  /** Pending events. */
  readonly maxEvents: number;
  /** Kept outcomes with a reason or value. */
  readonly maxHistory: number;
  /** The last generation of an index. */
  readonly maxGeneration: number;
}

/** Counters of an {@link EventTable}. */
export interface TableStats {
  /** Pending events. */
  readonly pending: number;
  /** Events made since the start. */
  readonly created: number;
  /** Events triggered since the start. */
  readonly triggered: number;
  /** Events poisoned since the start. */
  readonly poisoned: number;
  /** Indices whose generations are used up. */
  readonly retired: number;
  /** Kept reasons and values. */
  readonly history: number;
  /** Reasons and values forgotten at the limit. */
  readonly forgotten: number;
}

/**
 * The events that one instance has made.
 *
 * An index becomes free when its event completes, and its next event has the next generation. So a generation below the
 * current one is complete, and no record of it is necessary; only poison reasons and values are kept, within the limit
 * of the history. An index whose generations are used up is retired.
 */
export class EventTable {
  readonly #owner: bigint;
  readonly #owner0: number;
  readonly #owner1: number;
  readonly #flag: number;
  readonly #limits: TableLimits;
  readonly #slots: Slot[] = [];
  readonly #free: Slot[] = [];
  readonly #history: History;
  #pending = 0;
  #created = 0;
  #poisoned = 0;
  #retired = 0;

  /** @param local Whether the events exist in this process only. */
  constructor(owner: bigint, local: boolean, limits: TableLimits) {
    this.#owner = owner;
    this.#owner0 = Number(owner & 0xffff_ffffn);
    this.#owner1 = Number(owner >> 32n);
    this.#flag = local ? localFlag : 0;
    this.#limits = limits;
    this.#history = new History(limits.maxHistory);
  }

  /**
   * Makes an event.
   *
   * @throws {ZeromeshError} `LIMIT_REACHED` at the limit of pending events.
   */
  create(): Slot {
    const slot = this.#free.pop() ?? this.#newSlot();
    slot.generation++;
    slot.handle = (slot.handle + 1n) as EventHandle;
    slot.pending = true;
    this.#pending++;
    this.#created++;
    return slot;
  }

  /** The slot of a pending event, or null. */
  find(handle: EventHandle): Slot | null {
    splitHandle(handle);
    const slot = this.#slots[handleWords[1]! & ~localFlag];
    return slot !== undefined && slot.handle === handle && slot.pending ? slot : null;
  }

  /** The same for a handle's words. */
  findWords(words: Uint32Array): Slot | null {
    if (!this.ownsWords(words)) return null;
    const slot = this.#slots[words[1]! & ~localFlag];
    return slot !== undefined && slot.generation === words[0] && slot.pending ? slot : null;
  }

  /**
   * Completes a pending event and frees its index.
   *
   * @param by The instance whose message does; null for this instance.
   */
  complete(slot: Slot, outcome: Outcome, by: InstanceId | null = null): void {
    const { handle } = slot;
    slot.pending = false;
    this.#pending--;
    if (outcome.reason !== null) this.#poisoned++;
    if (outcome !== triggered) this.#history.add(handle, outcome, by);
    slot.settle(handle, outcome);
    if (slot.generation < this.#limits.maxGeneration) this.#free.push(slot);
    else this.#retired++;
  }

  /** The outcome of an event that is not pending; null when it was never made. */
  outcomeOf(handle: EventHandle): Outcome | null {
    splitHandle(handle);
    return this.outcomeOfWords(handleWords);
  }

  /** The same for a handle's words. */
  outcomeOfWords(words: Uint32Array): Outcome | null {
    if (!this.ownsWords(words)) return null;
    const slot = this.#slots[words[1]! & ~localFlag];
    const generation = words[0]!;
    if (slot === undefined || generation === 0 || generation > slot.generation) return null;
    if (this.#history.size === 0) return triggered;
    return this.#history.get(joinHandle(words)) ?? triggered;
  }

  /** Whether this table could have made the handle. */
  owns(handle: EventHandle): boolean {
    splitHandle(handle);
    return this.ownsWords(handleWords);
  }

  /** The same for a handle's words. */
  ownsWords(words: Uint32Array): boolean {
    return words[2] === this.#owner0 && words[3] === this.#owner1 &&
      ((words[1]! & localFlag) >>> 0) === this.#flag;
  }

  /** All pending events, oldest index first. */
  pending(): Slot[] {
    return this.#slots.filter((slot) => slot.pending);
  }

  stats(): TableStats {
    return {
      pending: this.#pending,
      created: this.#created,
      triggered: this.#created - this.#pending - this.#poisoned,
      poisoned: this.#poisoned,
      retired: this.#retired,
      history: this.#history.size,
      forgotten: this.#history.forgotten,
    };
  }

  #newSlot(): Slot {
    const index = this.#slots.length;
    if (this.#pending >= this.#limits.maxEvents || index >= localFlag) {
      throw new ZeromeshError(
        "LIMIT_REACHED",
        `Cannot make another event: ${this.#pending} are pending, which is the limit (maxEvents)`,
      );
    }
    const slot = new Slot(makeHandle(this.#owner, index + this.#flag, 0));
    this.#slots.push(slot);
    return slot;
  }
}
