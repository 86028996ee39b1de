import {
  type CancelTimer,
  type Guard,
  guardLimiter,
  type LimitedTask,
  type Limiter,
  LinkedQueue,
  QueueNode,
  type Timed,
} from "../../core/mod.ts";
import type { Handler } from "./handler_context.ts";
import { type ResolvedTasks, resolveTasks } from "./task_options.ts";

/** A message in a lane. */
export interface LaneItem<Item> {
  /** First word of its sender's key, with {@link sender1} the key of its lane. */
  readonly sender0: number;
  /** Second word of the key. */
  readonly sender1: number;
  /** Its lane; kept by the lanes. */
  lane: object | null;
  /** Its place in the lane's queue; kept by the lanes. */
  place: QueueNode<Item> | null;
  /** Copies borrowed memory, before a wait. */
  detach(): void;
}

/** The dispatcher of the lanes. */
export interface LaneHost<Item> extends Timed {
  /** Calls users' limiters. */
  readonly guard: Guard;
  /** Runs a message, whose places are taken; {@link Lanes.ended} frees them. */
  start(item: Item): void;
  /** A message has to wait. */
  waits(item: Item): void;
  /** A message leaves its lane for a later one. */
  evicted(item: Item): void;
}

/** Messages for one handler, of one sender or of all. */
class Lane<Item> {
  readonly queue = new LinkedQueue<Item>();
  readonly turn: QueueNode<Lane<Item>>;
  readonly id0: number;
  readonly id1: number;
  /** Running messages. */
  running = 0;
  /** Whether it was used since the last check for idle lanes. */
  fresh = true;
  /** The next lane with the same first word. */
  other: Lane<Item> | null = null;

  constructor(id0: number, id1: number) {
    this.id0 = id0;
    this.id1 = id1;
    this.turn = new QueueNode<Lane<Item>>(this);
  }
}

/** The lanes of a handler; null without order and limits. @param common Limits that all handlers share. */
export function lanesOf<Item extends LaneItem<Item>>(
  host: LaneHost<Item>,
  { name, tasks }: Handler,
  common: readonly Limiter[],
): Lanes<Item> | null {
  const free = tasks === undefined || (tasks.ordered === null && tasks.limits.length === 0);
  return free && common.length === 0 ? null : new Lanes(host, tasks ?? resolveTasks(name, {}), common);
}

/** The result of {@link Lanes.admit}. */
export type Admission = "run" | "wait" | "full";

/**
 * Schedules a handler's messages: one lane per sender, served in turns, so that a sender with a thousand waiting
 * messages does not delay another's single one. An ordered handler runs one message of a lane at a time.
 */
export class Lanes<Item extends LaneItem<Item>> implements LimitedTask {
  readonly #host: LaneHost<Item>;
  readonly #tasks: ResolvedTasks;
  readonly #limits: readonly Limiter[];
  // Whether a limit depends on the time: reading the clock costs as much as everything else here.
  readonly #timed: boolean;
  readonly #lanes = new Map<number, Lane<Item>>();
  // Lanes whose first message could start if the limits allow it.
  readonly #ready = new LinkedQueue<Lane<Item>>();
  #waitingAt: Limiter | null = null;
  #last: Lane<Item> | null = null;
  #queued = 0;
  #closed = false;
  #sweeper: CancelTimer | null = null;
  #running = false;

  /**
   * @param host The dispatcher.
   * @param tasks The handler's options.
   * @param common Limits of all handlers.
   */
  constructor(host: LaneHost<Item>, tasks: ResolvedTasks, common: readonly Limiter[]) {
    this.#host = host;
    this.#tasks = tasks;
    this.#limits = [...new Set([...common, ...tasks.limits])].map((limit) => guardLimiter(limit, host.guard));
    this.#timed = this.#limits.some(({ ready }) => ready.length > 0);
  }

  /** Waiting messages. */
  get queued(): number {
    return this.#queued;
  }

  /** Number of lanes. */
  get lanes(): number {
    let count = 0;
    for (let lane of this.#lanes.values()) {
      for (count++; lane.other !== null; lane = lane.other) count++;
    }
    return count;
  }

  /**
   * Admits a message: `"run"`, with its places taken; `"wait"`, with a later call of {@link LaneHost.start}; or
   * `"full"`, refused.
   */
  admit(item: Item): Admission {
    const { ordered } = this.#tasks;
    if (ordered === null && this.#queued === 0 && this.#take()) return "run";
    const lane = ordered === "global" ? this.#lane(0, 0) : this.#lane(item.sender0, item.sender1);
    if (ordered !== null) {
      lane.fresh = true;
      if (lane.running === 0 && lane.queue.size === 0 && this.#take()) {
        lane.running = 1;
        item.lane = lane;
        return "run";
      }
      if (lane.queue.size >= this.#tasks.maxQueuedPerLane && !this.#evict(lane)) return "full";
    }
    if (this.#queued >= this.#tasks.maxQueued && !this.#evict(lane)) return "full";
    item.detach();
    item.lane = lane;
    item.place = new QueueNode(item);
    lane.queue.push(item.place);
    this.#queued++;
    this.#host.waits(item);
    if (item.place === null) return "wait";
    if (ordered === null || lane.running === 0) this.#ready.push(lane.turn);
    if (this.#ready.size > 0 && this.#waitingAt === null && !this.#running) this.#run();
    return "wait";
  }

  /** Frees the places of a message that has ended. */
  ended(item: Item): void {
    const lane = item.lane as Lane<Item> | null;
    if (lane !== null) {
      item.lane = null;
      lane.running--;
      if (lane.queue.size > 0) this.#ready.push(lane.turn);
      else this.#rest(lane);
    }
    for (const limit of this.#limits) limit.release();
    if (this.#ready.size > 0 && this.#waitingAt === null && !this.#running) this.#run();
  }

  /** Removes a waiting message. Returns false when it does not wait. */
  leave(item: Item): boolean {
    const lane = item.lane as Lane<Item> | null;
    if (lane === null || item.place === null || !lane.queue.remove(item.place)) return false;
    this.#left(item);
    if (lane.queue.size > 0) return true;
    this.#ready.remove(lane.turn);
    this.#rest(lane);
    if (this.#ready.size === 0) this.#waitNoMore();
    return true;
  }

  /** Removes all waiting messages, oldest first within a lane. */
  *drain(): IterableIterator<Item> {
    for (const first of [...this.#lanes.values()]) {
      for (let lane: Lane<Item> | null = first; lane !== null; lane = lane.other) {
        for (let item = lane.queue.peek(); item !== null; item = lane.queue.peek()) {
          this.leave(item);
          yield item;
        }
      }
    }
    this.#sweeper?.();
    this.#sweeper = null;
  }

  /** Starts a message when a limiter has room for one. */
  room(): void {
    const limit = this.#waitingAt;
    if (limit === null) return;
    this.#running = true;
    try {
      this.#waitingAt = null;
      this.#startOne();
    } finally {
      this.#running = false;
    }
    // One at a time: other waiters of the same limiter come in between.
    if (this.#ready.size > 0) this.#waitAt(this.#blocked() ?? limit);
  }

  #left(item: Item): void {
    item.place = null;
    item.lane = null;
    this.#queued--;
  }

  #evict(lane: Lane<Item>): boolean {
    if (this.#tasks.overflow !== "dropOldest") return false;
    const oldest = lane.queue.peek();
    if (oldest === null) return false;
    this.leave(oldest);
    this.#host.evicted(oldest);
    return true;
  }

  #run(): void {
    // A handler that ends at once calls ended() in here: the loop continues instead of nesting.
    this.#running = true;
    try {
      while (this.#startOne());
    } finally {
      this.#running = false;
    }
    if (this.#ready.size === 0 || this.#waitingAt !== null) return;
    const limit = this.#blocked();
    if (limit !== null) this.#waitAt(limit);
  }

  /** Starts the first message of the next lane. Returns false when a limit forbids it. */
  #startOne(): boolean {
    const lane = this.#ready.peek();
    if (lane === null || !this.#take()) return false;
    this.#ready.remove(lane.turn);
    const item = lane.queue.shift()!;
    this.#left(item);
    lane.running++;
    item.lane = lane;
    if (this.#tasks.ordered === null && lane.queue.size > 0) this.#ready.push(lane.turn);
    this.#host.start(item);
    return true;
  }

  #take(): boolean {
    const limits = this.#limits;
    if (limits.length === 0) return true;
    if (this.#blocked() !== null) return false;
    for (const limit of limits) limit.take();
    return true;
  }

  #blocked(): Limiter | null {
    const now = this.#timed ? this.#host.clock.now() : 0;
    for (const limit of this.#limits) if (!limit.ready(now)) return limit;
    return null;
  }

  #waitAt(limit: Limiter): void {
    this.#waitingAt = limit;
    limit.wait(this, this.#host.clock);
  }

  #waitNoMore(): void {
    const limit = this.#waitingAt;
    this.#waitingAt = null;
    limit?.leave(this);
  }

  #lane(id0: number, id1: number): Lane<Item> {
    const last = this.#last;
    if (last !== null && last.id0 === id0 && last.id1 === id1) return last;
    const first = this.#lanes.get(id0);
    let lane: Lane<Item> | null = first ?? null;
    while (lane !== null && lane.id1 !== id1) lane = lane.other;
    if (lane === null) {
      lane = new Lane<Item>(id0, id1);
      lane.other = first ?? null;
      this.#lanes.set(id0, lane);
    }
    return this.#last = lane;
  }

  /** Closes: idle lanes are no longer kept for their senders. */
  close(): void {
    this.#closed = true;
    this.#sweeper?.();
    this.#sweeper = null;
  }

  /** Removes an idle lane, at once or, for an ordered handler, after its time. */
  #rest(lane: Lane<Item>): void {
    if (lane.running > 0) return;
    const { ordered, idleLaneTtlMs } = this.#tasks;
    if (ordered === "global") return;
    if (ordered === null || this.#closed) return this.#forget(lane);
    if (this.#sweeper !== null || idleLaneTtlMs === Infinity) return;
    this.#sweeper = this.#host.clock.after(idleLaneTtlMs, () => this.#sweep());
  }

  #sweep(): void {
    this.#sweeper = null;
    const { idleLaneTtlMs } = this.#tasks;
    let kept = false;
    for (const first of [...this.#lanes.values()]) {
      for (let lane: Lane<Item> | null = first; lane !== null; lane = lane.other) {
        // A lane used since the last check stays until the next one.
        const idle = lane.running === 0 && lane.queue.size === 0;
        if (idle && !lane.fresh) this.#forget(lane);
        else kept = true;
        lane.fresh = false;
      }
    }
    if (kept) this.#sweeper = this.#host.clock.after(idleLaneTtlMs, () => this.#sweep());
  }

  #forget(lane: Lane<Item>): void {
    if (this.#last === lane) this.#last = null;
    let at: Lane<Item> | null = this.#lanes.get(lane.id0) ?? null;
    if (at === lane) {
      if (lane.other === null) this.#lanes.delete(lane.id0);
      else this.#lanes.set(lane.id0, lane.other);
      return;
    }
    while (at !== null && at.other !== lane) at = at.other;
    if (at !== null) at.other = lane.other;
  }
}
