import {
  type CancelTimer,
  type Clock,
  type Guard,
  guardLimiter,
  type LimitedTask,
  type Limiter,
  LinkedQueue,
  QueueNode,
} from "../../core/mod.ts";
import type { InboundCall } from "./context.ts";
import type { Handler } from "./handler_context.ts";
import { type ResolvedTasks, resolveTasks } from "./task_options.ts";

/** What lanes do with the messages they hold. */
export interface LaneHost {
  /** Where time comes from. */
  readonly clock: Clock;
  /** Calls limits that others have made. */
  readonly guard: Guard;
  /** Runs a message. Its places are taken; {@link Lanes.ended} gives them back. */
  start(call: InboundCall): void;
  /** A message has to wait. */
  waits(call: InboundCall): void;
  /** A message leaves its lane because a later one needs its place. */
  evicted(call: InboundCall): void;
}

/** Messages of one sender, or of all, for one handler. */
class Lane {
  readonly queue = new LinkedQueue<InboundCall>();
  readonly turn: QueueNode<Lane>;
  readonly id0: number;
  readonly id1: number;
  /** Messages that run. */
  running = 0;
  /** Whether it was used since the last look for idle lanes. */
  fresh = true;
  /** Another lane with the same first word. */
  other: Lane | null = null;

  constructor(id0: number, id1: number) {
    this.id0 = id0;
    this.id1 = id1;
    this.turn = new QueueNode<Lane>(this);
  }
}

/** The lanes of a handler; null for one without order and limits. @param common Limits that it shares with all others. */
export function lanesOf(host: LaneHost, { name, tasks }: Handler, common: readonly Limiter[]): Lanes | null {
  const free = tasks === undefined || (tasks.ordered === null && tasks.limits.length === 0);
  return free && common.length === 0 ? null : new Lanes(host, tasks ?? resolveTasks(name, {}), common);
}

/** What {@link Lanes.admit} did. */
export type Admission = "run" | "wait" | "full";

/**
 * Decides which message of a handler runs next: one lane per sender, served in turns, so that a sender with a
 * thousand waiting messages does not keep another's one waiting. An ordered handler runs one message of a lane at
 * a time.
 */
export class Lanes implements LimitedTask {
  readonly #host: LaneHost;
  readonly #tasks: ResolvedTasks;
  readonly #limits: readonly Limiter[];
  // Whether any limit looks at the time: reading it costs as much as everything else here.
  readonly #timed: boolean;
  readonly #lanes = new Map<number, Lane>();
  // Lanes with a message that could start if the limits let it.
  readonly #ready = new LinkedQueue<Lane>();
  readonly #node = new QueueNode<LimitedTask>(this);
  #waitingAt: Limiter | null = null;
  #last: Lane | null = null;
  #queued = 0;
  #closed = false;
  #sweeper: CancelTimer | null = null;
  #running = false;

  /**
   * @param host Runs what may run.
   * @param tasks The handler's options.
   * @param common Limits of all handlers.
   */
  constructor(host: LaneHost, tasks: ResolvedTasks, common: readonly Limiter[]) {
    this.#host = host;
    this.#tasks = tasks;
    this.#limits = [...new Set([...common, ...tasks.limits])].map((limit) => guardLimiter(limit, host.guard));
    this.#timed = this.#limits.some(({ ready }) => ready.length > 0);
  }

  /** Messages that wait. */
  get queued(): number {
    return this.#queued;
  }

  /** Lanes kept now. */
  get lanes(): number {
    let count = 0;
    for (let lane of this.#lanes.values()) {
      for (count++; lane.other !== null; lane = lane.other) count++;
    }
    return count;
  }

  /**
   * Finds a message its place: `"run"`, and its places are taken; `"wait"`, and {@link LaneHost.start} is called
   * later; `"full"`, and it is refused.
   */
  admit(call: InboundCall): Admission {
    const { ordered } = this.#tasks;
    if (ordered === null && this.#queued === 0 && this.#take()) return "run";
    const lane = ordered === "global" ? this.#lane(0, 0) : this.#laneOf(call);
    if (ordered !== null) {
      lane.fresh = true;
      if (lane.running === 0 && lane.queue.size === 0 && this.#take()) {
        lane.running = 1;
        call.lane = lane;
        return "run";
      }
      if (lane.queue.size >= this.#tasks.maxQueuedPerLane && !this.#evict(lane)) return "full";
    }
    if (this.#queued >= this.#tasks.maxQueued && !this.#evict(lane)) return "full";
    call.detach();
    call.lane = lane;
    call.place = new QueueNode(call);
    lane.queue.push(call.place);
    this.#queued++;
    this.#host.waits(call);
    if (call.place === null) return "wait";
    if (ordered === null || lane.running === 0) this.#ready.push(lane.turn);
    if (this.#ready.size > 0 && this.#waitingAt === null && !this.#running) this.#run();
    return "wait";
  }

  /** A message has ended: its places are free. */
  ended(call: InboundCall): void {
    const lane = call.lane as Lane | null;
    if (lane !== null) {
      call.lane = null;
      lane.running--;
      if (lane.queue.size > 0) this.#ready.push(lane.turn);
      else this.#rest(lane);
    }
    for (const limit of this.#limits) limit.release();
    if (this.#ready.size > 0 && this.#waitingAt === null && !this.#running) this.#run();
  }

  /** Takes a waiting message out. False when it does not wait. */
  leave(call: InboundCall): boolean {
    const lane = call.lane as Lane | null;
    if (lane === null || call.place === null || !lane.queue.remove(call.place)) return false;
    this.#left(call);
    if (lane.queue.size > 0) return true;
    this.#ready.remove(lane.turn);
    this.#rest(lane);
    if (this.#ready.size === 0) this.#waitNoMore();
    return true;
  }

  /** Takes everything out that waits, oldest first within a lane. */
  *drain(): IterableIterator<InboundCall> {
    for (const first of [...this.#lanes.values()]) {
      for (let lane: Lane | null = first; lane !== null; lane = lane.other) {
        for (let call = lane.queue.peek(); call !== null; call = lane.queue.peek()) {
          this.leave(call);
          yield call;
        }
      }
    }
    this.#sweeper?.();
    this.#sweeper = null;
  }

  /** A limiter has room for one. */
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
    // One at a time: others that wait for the same limit come in between.
    if (this.#ready.size > 0) this.#waitAt(this.#blocked() ?? limit);
  }

  #left(call: InboundCall): void {
    call.place = null;
    call.lane = null;
    this.#queued--;
  }

  #evict(lane: Lane): boolean {
    if (this.#tasks.overflow !== "dropOldest") return false;
    const oldest = lane.queue.peek();
    if (oldest === null) return false;
    this.leave(oldest);
    this.#host.evicted(oldest);
    return true;
  }

  #run(): void {
    // A handler that ends at once calls ended() in here: the loop goes on instead of nesting.
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

  /** Starts the first message of the lane whose turn it is. False when a limit forbids it. */
  #startOne(): boolean {
    const lane = this.#ready.peek();
    if (lane === null || !this.#take()) return false;
    this.#ready.remove(lane.turn);
    const call = lane.queue.shift()!;
    this.#left(call);
    lane.running++;
    call.lane = lane;
    if (this.#tasks.ordered === null && lane.queue.size > 0) this.#ready.push(lane.turn);
    this.#host.start(call);
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
    limit.wait(this.#node, this.#host.clock);
  }

  #waitNoMore(): void {
    const limit = this.#waitingAt;
    this.#waitingAt = null;
    limit?.leave(this.#node);
  }

  /** By whose the connection is, and not by whom its messages name: plain Velo may name anybody. */
  #laneOf({ session: { peer, serial } }: InboundCall): Lane {
    return peer === null ? this.#lane(serial, 0) : this.#lane(peer.worker0, peer.worker1);
  }

  #lane(id0: number, id1: number): Lane {
    const last = this.#last;
    if (last !== null && last.id0 === id0 && last.id1 === id1) return last;
    const first = this.#lanes.get(id0);
    let lane: Lane | null = first ?? null;
    while (lane !== null && lane.id1 !== id1) lane = lane.other;
    if (lane === null) {
      lane = new Lane(id0, id1);
      lane.other = first ?? null;
      this.#lanes.set(id0, lane);
    }
    return this.#last = lane;
  }

  /** The handler is gone, or the instance closes: nothing is kept for senders that may come back. */
  close(): void {
    this.#closed = true;
    this.#sweeper?.();
    this.#sweeper = null;
  }

  /** A lane has nothing to do: it goes, at once or, of an ordered handler, after its time. */
  #rest(lane: Lane): void {
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
      for (let lane: Lane | null = first; lane !== null; lane = lane.other) {
        // What was used since the last look stays until the next one.
        const idle = lane.running === 0 && lane.queue.size === 0;
        if (idle && !lane.fresh) this.#forget(lane);
        else kept = true;
        lane.fresh = false;
      }
    }
    if (kept) this.#sweeper = this.#host.clock.after(idleLaneTtlMs, () => this.#sweep());
  }

  #forget(lane: Lane): void {
    if (this.#last === lane) this.#last = null;
    let at: Lane | null = this.#lanes.get(lane.id0) ?? null;
    if (at === lane) {
      if (lane.other === null) this.#lanes.delete(lane.id0);
      else this.#lanes.set(lane.id0, lane.other);
      return;
    }
    while (at !== null && at.other !== lane) at = at.other;
    if (at !== null) at.other = lane.other;
  }
}
