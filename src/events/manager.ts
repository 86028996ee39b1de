import {
  checkArgument,
  Deadline,
  Deadlines,
  type Ending,
  EndOf,
  type InstanceId,
  option,
  readOptions,
  systemClock,
  ZeromeshError,
} from "../core/mod.ts";
import type { SystemMessage, SystemPort } from "../messenger/mod.ts";
import {
  type Barrier,
  barrierHandler,
  type BarrierOptions,
  barrierOptionTable,
  Barriers,
} from "./barrier.ts";
import { Distributed, type EventCallOptions, listen } from "./distributed.ts";
import type { Event } from "./event.ts";
import type { EventHandle } from "./handle.ts";
import { Latch } from "./latch.ts";
import { merge } from "./merge.ts";
import {
  type EventOptions,
  eventOptionTable,
  type ResolvedEventOptions,
  resolveEventOptions,
} from "./options.ts";
import { type EventStatus, poisonedWith, triggeredWith, unknownError } from "./outcome.ts";
import { OwnEvents } from "./own_events.ts";
import { RemoteEvents, type RemoteStats } from "./remote_events.ts";
import { Subscribers, type SubscriberStats } from "./subscribers.ts";
import type { TableStats } from "./table.ts";
import { type AwaiterOptions, awaiterOptionTable } from "./waiting.ts";

/** Counters of an {@link EventManager}. */
export interface EventStats {
  /** Its own events. */
  readonly own: TableStats;
  /** Events of other instances, as seen from here; null without a messenger. */
  readonly remote: RemoteStats | null;
  /** Other instances that want to know of its events; null without a messenger. */
  readonly subscribers: SubscriberStats | null;
  /** Rounds of barriers that are open here. */
  readonly barriers: number;
  /** Rounds that were not opened since the start, because there were too many. */
  readonly barriersRefused: number;
}

interface Parts {
  readonly own: OwnEvents;
  readonly remote: RemoteEvents | null;
  readonly subscribers: Subscribers | null;
  readonly distributed: Distributed | null;
}

/** A messenger's events, and what takes the messages of other instances about events. */
export interface MessengerEvents {
  /** What users get. */
  readonly manager: EventManager;
  /** Takes a message for the system handler with this name; the answer of those that have one. */
  receive(name: string, message: SystemMessage): Uint8Array | undefined;
}

// Assigned by the class, whose constructor nobody else can reach.
let makeFor: (port: SystemPort, options: ResolvedEventOptions) => MessengerEvents;

/** Makes the events of a messenger. */
export function eventsOf(port: SystemPort, options: ResolvedEventOptions): MessengerEvents {
  return makeFor(port, options);
}

/**
 * Events that are awaited, triggered and poisoned by their handle: `messenger.events`, across instances, or
 * {@link EventManager.local}, inside one process.
 *
 * @example Usage
 * ```ts
 * import { eventHandle, Messenger } from "zeromesh";
 *
 * await using owner = await Messenger.create();
 * await using other = await Messenger.create();
 * await other.connect(owner.endpoint);
 *
 * using ready = owner.events.newEvent();
 * const text = String(ready.handle); // goes to the other instance, in a message of whatever kind
 * const waiting = other.events.awaiter(eventHandle(text), { timeoutMs: 5_000 });
 * ready.trigger("go");
 * console.log(await waiting); // go
 * ```
 */
export class EventManager implements AsyncDisposable {
  readonly #options: ResolvedEventOptions;
  readonly #deadlines: Deadlines;
  readonly #port: SystemPort | null;
  readonly #parts: Parts;
  readonly #barriers: Barriers;
  readonly #end = new EndOf();
  #awaited = 0;
  /** Keeps the process alive while events are awaited. */
  #hold: Disposable | null = null;

  private constructor(options: ResolvedEventOptions, owner: bigint, port: SystemPort | null) {
    this.#options = options;
    this.#port = port;
    this.#deadlines = new Deadlines(port?.clock ?? systemClock);
    const awaited = (change: 1 | -1) => {
      this.#awaited += change;
      if (this.#awaited > 0) this.#hold ??= port?.hold() ?? null;
      else {
        this.#hold?.[Symbol.dispose]();
        this.#hold = null;
      }
    };
    const own = new OwnEvents(owner, port === null, options, this.#deadlines, {
      completed: (slot, handle, outcome) => this.#parts.subscribers?.completed(slot, handle, outcome),
      awaited,
    });
    this.#barriers = new Barriers({
      newEvent: () => this.newEvent(),
      awaiter: (handle, wait) => this.awaiter(handle, wait),
      poison: (handle, reason) => this.poison(handle, reason),
      arriveAt: (at, payload, wait) => this.#arriveAt(at, payload, wait),
    }, options.maxBarriers);
    if (port === null) this.#parts = { own, remote: null, subscribers: null, distributed: null };
    else {
      const remote = new RemoteEvents(port, options, this.#deadlines, awaited);
      const subscribers = new Subscribers(port, own, options, (run) => this.#afterGrace(run));
      const distributed = new Distributed(port, remote, subscribers, options);
      this.#parts = { own, remote, subscribers, distributed };
      const close = (): void => {
        this.#deadlines.close();
        this.#end.tell("the messenger was closed");
      };
      const lost = (peer: InstanceId, rest: "up" | "down" | "gone") => this.#lost(port, peer, rest);
      listen(port, { own, remote, subscribers, lost, close });
    }
  }

  /**
   * Events inside this process, without a messenger. Their handles mean nothing elsewhere.
   *
   * @throws {TypeError} If a size is no integer.
   * @throws {RangeError} If a size is out of its range.
   */
  static local(given?: EventOptions): EventManager {
    const options = readOptions(given, eventOptionTable, "Cannot make events");
    const owner = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;
    return new EventManager(resolveEventOptions(options), owner, null);
  }

  static {
    makeFor = (port, options) => {
      const manager = new EventManager(options, port.workerId, port);
      return { manager, receive: (name, message) => manager.#receive(name, message) };
    };
  }

  /**
   * Makes an event that this instance owns.
   *
   * @throws {ZeromeshError} `LIMIT_REACHED` when `maxEvents` are pending, `CLOSED` after {@link EventManager.close}.
   */
  newEvent(): Event {
    return this.#parts.own.create();
  }

  /**
   * Waits for an event, of this instance or another one.
   *
   * An event of another instance ends with `EVENT_OWNER_LOST` when that instance is gone or has restarted; while a
   * connection is lost for a moment it goes on. Awaiting one that is known to be complete sends nothing.
   *
   * @returns What it was triggered with; undefined without a value.
   * @throws {ZeromeshError} `EVENT_POISONED` with the reason in its message and in `details.reason`; `EVENT_OWNER_LOST`;
   * `EVENT_UNKNOWN`; `PEER_UNKNOWN` when nobody is known who owns it; `TIMEOUT`; `LIMIT_REACHED`; `CLOSED`.
   */
  awaiter<T = unknown>(handle: EventHandle, given?: AwaiterOptions): Promise<T> {
    let options: AwaiterOptions | undefined;
    if (given !== undefined || typeof handle !== "bigint") {
      try {
        options = checkWait(handle, given, "Cannot wait for an event");
      } catch (error) {
        return Promise.reject(error);
      }
    }
    const own = this.#parts.own.await(handle, options);
    if (own !== null) return own as Promise<T>;
    const { remote } = this.#parts;
    if (remote === null) return Promise.reject(unknownError(handle, "it is not one of this manager"));
    return remote.await(handle, options) as Promise<T>;
  }

  /**
   * Finds out how an event is. Its owner is asked, unless it is known to be complete.
   *
   * @throws {ZeromeshError} As a call; `EVENT_UNKNOWN`, `PEER_UNKNOWN`.
   */
  async poll(handle: EventHandle, given?: EventCallOptions): Promise<EventStatus> {
    const options = checkWait(handle, given, "Cannot ask for an event");
    const own = this.#parts.own.status(handle);
    if (own !== null) return own;
    return await this.#elsewhere(handle).poll(handle, options);
  }

  /**
   * Triggers an event, of this instance or another one; resolves when its owner has confirmed it. An event that was
   * triggered before stays as it is.
   *
   * @param value What awaiters get; anything with JSON, at most `maxValueBytes` of it. Plain Velo instances get none.
   * @throws {ZeromeshError} `EVENT_POISONED`, `EVENT_UNKNOWN`, `PEER_UNKNOWN`, `ENCODING_FAILED`, `PAYLOAD_TOO_LARGE`;
   * for a remote one also as a call, with `ran`.
   */
  trigger(handle: EventHandle, value?: unknown, given?: EventCallOptions): Promise<void> {
    try {
      const options = checkWait(handle, given, "Cannot trigger an event");
      if (this.#parts.own.table.owns(handle)) {
        this.#parts.own.trigger(handle, value);
        return done;
      }
      const outcome = triggeredWith(value, this.#options.maxValueBytes);
      return this.#elsewhere(handle).complete(handle, outcome, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Poisons an event, of this instance or another one; resolves when its owner has confirmed it. The first reason
   * stands.
   *
   * @throws {ZeromeshError} `EVENT_COMPLETED` when it was triggered, which plain Velo does not tell; else as
   * {@link EventManager.trigger}.
   */
  async poison(handle: EventHandle, reason: string, given?: EventCallOptions): Promise<void> {
    const options = checkWait(handle, given, "Cannot poison an event");
    if (this.#parts.own.table.owns(handle)) return this.#parts.own.poison(handle, reason);
    await this.#elsewhere(handle).complete(handle, poisonedWith(reason), options);
  }

  /**
   * One event for many, which this instance owns: triggered once all are, or poisoned with all their reasons once all
   * have ended.
   *
   * @param inputs Events or handles, of any instances.
   * @returns The handle of the merged event.
   * @throws {TypeError} If there are none.
   * @throws {ZeromeshError} As {@link EventManager.newEvent}.
   */
  mergeEvents(inputs: Iterable<EventHandle | { readonly handle: EventHandle }>): EventHandle {
    return merge(this, inputs);
  }

  /**
   * Opens when so many have arrived.
   *
   * @throws {TypeError} If `count` is no integer.
   * @throws {RangeError} If it is below 1.
   */
  latch(count: number): Latch {
    return new Latch(this, count);
  }

  /**
   * A place where `count` participants wait for each other, at this instance or another one of ours.
   *
   * @param name What they call it; it exists as long as somebody waits there.
   * @throws {RangeError} If the name or the count cannot be used.
   */
  barrier(name: string, count: number, options?: BarrierOptions): Barrier {
    const { at = null } = readOptions(options, barrierOptionTable, "Cannot make a barrier");
    return this.#barriers.open(name, count, at === this.#port?.instanceId ? null : at);
  }

  /**
   * Poisons every pending event of this instance; those who await others' end with `CLOSED`. Nothing more can be made.
   * The second call does nothing. `close()` of a messenger closes its events as well.
   *
   * @param reason What those that wait are told.
   */
  close(reason = "the events were closed"): Promise<void> {
    checkArgument("reason", reason, option.string, "Cannot close the events");
    this.#parts.own.shutdown(reason);
    this.#parts.remote?.close(new ZeromeshError("CLOSED", `The events were shut down: ${reason}`));
    this.#end.tell(reason);
    return Promise.resolve();
  }

  /** Alias of {@link close}: what Velo calls `force_shutdown`. */
  forceShutdown(reason: string): void {
    void this.close(reason);
  }

  /** Resolves to the reason when the events are closed, and never rejects. */
  get closed(): Promise<Ending> {
    return this.#end.closed;
  }

  /** {@link close} with its default. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A snapshot of counters. */
  stats(): EventStats {
    return {
      own: this.#parts.own.stats(),
      remote: this.#parts.remote?.stats() ?? null,
      subscribers: this.#parts.subscribers?.stats() ?? null,
      barriers: this.#barriers.size,
      barriersRefused: this.#barriers.refused,
    };
  }

  #receive(name: string, message: SystemMessage): Uint8Array | undefined {
    const { distributed, subscribers } = this.#parts;
    if (name !== barrierHandler) return distributed?.receive(name, message);
    // Subscribed in the same step: this instance may close as soon as the round is complete.
    const sender = this.#port?.senderOf(message) ?? null;
    if (sender === null) {
      throw new ZeromeshError("PEER_UNKNOWN", "Whoever arrives at a barrier has to introduce itself");
    }
    const enroll = (round: EventHandle) => subscribers?.enroll(message, round);
    return this.#barriers.receive(message.lentPayload, sender.instanceId, enroll);
  }

  /** Who waits at a barrier and stays away has left it. */
  #lost(port: SystemPort, peer: InstanceId, rest: "up" | "down" | "gone"): void {
    const barriers = this.#barriers;
    if (rest === "up" || !barriers.waits(peer)) return;
    // Only one of ours comes back by itself to where it has waited.
    if (rest === "gone" || !(port.isOurs(peer) || port.hasWay(peer))) return barriers.leave(peer);
    this.#afterGrace(() => {
      if (!port.hasWay(peer)) barriers.leave(peer);
    });
  }

  #afterGrace(run: () => void): void {
    this.#deadlines.add(new Absence(run), this.#options.ownerGraceMs);
  }

  #elsewhere(handle: EventHandle): Distributed {
    const { distributed } = this.#parts;
    if (distributed !== null) return distributed;
    throw unknownError(handle, "it is not one of this manager");
  }

  async #arriveAt(at: InstanceId, payload: Uint8Array, options: AwaiterOptions): Promise<Uint8Array> {
    const port = this.#port;
    if (port === null) {
      throw new TypeError("Cannot meet elsewhere: events without a messenger have no others");
    }
    if (!port.isUp(at)) await port.reach(at, options.timeoutMs ?? this.#options.ownerGraceMs);
    if (port.supports(at, "events")) return await port.call(barrierHandler, at, payload, options);
    throw new ZeromeshError(
      "PEER_LACKS_FEATURE",
      `${port.textOf(at)} is no instance that barriers can be at`,
      {
        peer: at,
      },
    );
  }
}

/** A time for which somebody may be away. */
class Absence extends Deadline {
  readonly expire: () => void;

  constructor(over: () => void) {
    super();
    this.expire = over;
  }
}

const done = Promise.resolve();

/** Checks what a wait is for, and its options. @throws The reason of a signal that has aborted. */
function checkWait(handle: unknown, given: AwaiterOptions | undefined, cannot: string): AwaiterOptions {
  if (typeof handle !== "bigint") {
    throw new TypeError(
      `Cannot use a ${typeof handle} as an event handle; eventHandle(text) reads one from text`,
    );
  }
  const options = readOptions(given, awaiterOptionTable, cannot);
  options.signal?.throwIfAborted();
  return options;
}
