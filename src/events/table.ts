import { type InstanceId, ZeromeshError } from "../core/mod.ts";
import { type EventHandle, handleWords, joinHandle, localFlag, makeHandle, splitHandle } from "./handle.ts";
import { History } from "./history.ts";
import { type Outcome, triggered } from "./outcome.ts";
import { Waiting } from "./waiting.ts";

/** The events that another instance wants to hear of. */
export class PeerSubscriptions {
  /** Who. */
  readonly id: InstanceId;
  /** What. */
  readonly slots: Set<Slot> = new Set<Slot>();

  /** @param id Who. */
  constructor(id: InstanceId) {
    this.id = id;
  }
}

/** One index, whose events come one after another, each with the next generation. */
export class Slot extends Waiting {
  /** The event that has the index now, or had it last. */
  handle: EventHandle;
  /** Whether that event is pending. */
  pending = false;
  /** Other instances that want to be told: none, one, or several. */
  subscribers: PeerSubscriptions | Set<PeerSubscriptions> | null = null;
  /** Generation of {@link handle}. */
  generation = 0;

  /** @param base The handle of the index with generation 0. */
  constructor(base: EventHandle) {
    super();
    this.handle = base;
  }
}

/** Sizes of an {@link EventTable}. */
export interface TableLimits {
  /** Events that may be pending at a time. */
  readonly maxEvents: number;
  /** Outcomes that are remembered, beyond the fact that an event is complete. */
  readonly maxHistory: number;
  /** The last generation of an index. */
  readonly maxGeneration: number;
}

/** Counters of an {@link EventTable}. */
export interface TableStats {
  /** Events pending now. */
  readonly pending: number;
  /** Events made since the start. */
  readonly created: number;
  /** Of these, triggered. */
  readonly triggered: number;
  /** Of these, poisoned. */
  readonly poisoned: number;
  /** Indices whose generations are used up. */
  readonly retired: number;
  /** Reasons and values kept for those who ask late. */
  readonly history: number;
  /** Of these, forgotten for want of room. */
  readonly forgotten: number;
}

/**
 * The events that one system has made.
 *
 * An index is free again as soon as its event is complete, and the next event there has the next generation. A
 * generation below the current one is therefore complete, and nothing has to be kept to know that; only poison reasons
 * and values are, for as many events as the history holds. An index whose generations are used up is retired.
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

  /** @param local Whether nobody outside the process can know the events. */
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
   * @throws {ZeromeshError} `LIMIT_REACHED` when as many are pending as may be.
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
   * Ends a pending event. Its index is free from now on.
   *
   * @param by Whose message ends it; null where this side does.
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

  /** How an event ended that is no longer pending; null when there never was such an event. */
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

  /** Whether the handle is one that this table could have made. */
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

  /** Counters. */
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
