import {
  Alarm,
  asMethod,
  checkArgument,
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
import { type EventCallOptions, EventMessages, listen } from "./event_messages.ts";
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
  /** Events of this instance. */
  readonly own: TableStats;
  /** Events of other instances; null without a messenger. */
  readonly remote: RemoteStats | null;
  /** Subscriptions of other instances; null without a messenger. */
  readonly subscribers: SubscriberStats | null;
  /** Open rounds of barriers that this instance hosts. */
  readonly barriers: number;
  /** Rounds refused at the limit since the start. */
  readonly barriersRefused: number;
}

interface Parts {
  readonly own: OwnEvents;
  readonly remote: RemoteEvents | null;
  readonly subscribers: Subscribers | null;
  readonly messages: EventMessages | null;
}

/** A messenger's events, with the entry for peers' messages. */
export interface MessengerEvents {
  /** The public manager. */
  readonly manager: EventManager;
  /** Handles a message for the system handler with this name; returns the answer, if that handler has one. */
  receive(name: string, message: SystemMessage): Uint8Array | undefined;
}

// Assigned by the class: its constructor is private.
let makeFor: (port: SystemPort, options: ResolvedEventOptions) => MessengerEvents;

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
    if (port === null) this.#parts = { own, remote: null, subscribers: null, messages: null };
    else {
      const remote = new RemoteEvents(port, options, this.#deadlines, awaited);
      const subscribers = new Subscribers(port, own, options, (run) => this.#afterGrace(run));
      const messages = new EventMessages(port, remote, subscribers, options);
      this.#parts = { own, remote, subscribers, messages };
      const close = (): void => {
        this.#deadlines.close();
        this.#end.tell("the messenger was closed");
      };
      const lost = (peer: InstanceId, rest: "up" | "down" | "gone") => this.#lost(port, peer, rest);
      listen(port, { own, remote, subscribers, lost, close });
    }
  }

  /**
   * Events inside this process, without a messenger. Their handles have no meaning elsewhere.
   *
   * @throws {TypeError} If a limit is not an integer.
   * @throws {RangeError} If a limit is out of its range.
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
   * Waits for an event of this instance or another one.
   *
   * An event of another instance ends with `EVENT_OWNER_LOST` when that instance is gone or has restarted; a short loss
   * of the connection does not end it. Awaiting an event that is known to be complete sends nothing.
   *
   * @returns The value of the trigger; undefined without one.
   * @throws {ZeromeshError} `EVENT_POISONED` with the reason in the message and in `details.reason`;
   * `EVENT_OWNER_LOST`; `EVENT_UNKNOWN`; `PEER_UNKNOWN` when the owner is not known; `TIMEOUT`; `LIMIT_REACHED`;
   * `CLOSED`.
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
   * Returns the state of an event. The owner is asked, unless the event is known to be complete.
   *
   * @throws {ZeromeshError} As a call; `EVENT_UNKNOWN`, `PEER_UNKNOWN`.
   */
  async poll(handle: EventHandle, given?: EventCallOptions): Promise<EventStatus> {
    const options = checkWait(handle, given, "Cannot ask for an event");
    const own = this.#parts.own.status(handle);
    if (own !== null) return own;
    return await asMethod("events.poll", this.#elsewhere(handle).poll(handle, options));
  }

  /**
   * Triggers an event of this instance or another one; resolves when its owner has confirmed. An event that was
   * triggered before stays unchanged.
   *
   * @param value The awaiters' result: a JSON value of at most `maxValueBytes`. Plain Velo instances get none.
   * @throws {ZeromeshError} `EVENT_POISONED`, `EVENT_UNKNOWN`, `PEER_UNKNOWN`, `ENCODING_FAILED`, `PAYLOAD_TOO_LARGE`;
   * for a remote event also as a call, with `ran`.
   */
  trigger(handle: EventHandle, value?: unknown, given?: EventCallOptions): Promise<void> {
    try {
      const options = checkWait(handle, given, "Cannot trigger an event");
      if (this.#parts.own.table.owns(handle)) {
        this.#parts.own.trigger(handle, value);
        return done;
      }
      const outcome = triggeredWith(value, this.#options.maxValueBytes);
      return asMethod("events.trigger", this.#elsewhere(handle).complete(handle, outcome, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Poisons an event of this instance or another one; resolves when its owner has confirmed. The first reason stands.
   *
   * @throws {ZeromeshError} `EVENT_COMPLETED` when it was triggered, which plain Velo does not report; otherwise as
   * {@link EventManager.trigger}.
   */
  async poison(handle: EventHandle, reason: string, given?: EventCallOptions): Promise<void> {
    const options = checkWait(handle, given, "Cannot poison an event");
    if (this.#parts.own.table.owns(handle)) return this.#parts.own.poison(handle, reason);
    await asMethod("events.poison", this.#elsewhere(handle).complete(handle, poisonedWith(reason), options));
  }

  /**
   * Merges events into one that this instance owns: it is triggered once all inputs are, or poisoned with all their
   * reasons once all have ended.
   *
   * @param inputs Events or handles, of one or several instances.
   * @returns The handle of the merged event.
   * @throws {TypeError} If there are no inputs.
   * @throws {ZeromeshError} As {@link EventManager.newEvent}.
   */
  mergeEvents(inputs: Iterable<EventHandle | { readonly handle: EventHandle }>): EventHandle {
    return merge(this, inputs);
  }

  /**
   * Makes a latch, which is triggered after `count` arrivals.
   *
   * @throws {TypeError} If `count` is not an integer.
   * @throws {RangeError} If it is below 1.
   */
  latch(count: number): Latch {
    return new Latch(this, count);
  }

  /**
   * A barrier for `count` participants, hosted by this instance or another zeromesh instance.
   *
   * @param name The participants' common name for it. It exists while a participant waits.
   * @throws {RangeError} If the name or the count is invalid.
   */
  barrier(name: string, count: number, options?: BarrierOptions): Barrier {
    const { at = null } = readOptions(options, barrierOptionTable, "Cannot make a barrier");
    return this.#barriers.open(name, count, at === this.#port?.instanceId ? null : at);
  }

  /**
   * Poisons all pending events of this instance; awaiters of other instances' events end with `CLOSED`. No new events
   * can be made. A second call does nothing. `close()` of a messenger closes its events as well.
   *
   * @param reason The reason that awaiters get.
   */
  close(reason = "the events were closed"): Promise<void> {
    checkArgument("reason", reason, option.string, "Cannot close the events");
    this.#parts.own.shutdown(reason);
    this.#parts.remote?.close(new ZeromeshError("CLOSED", `The events were shut down: ${reason}`));
    this.#end.tell(reason);
    return Promise.resolve();
  }

  /** Alias of {@link close}, after Velo's `force_shutdown`. */
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

  /** A snapshot of the counters. */
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
    const { messages, subscribers } = this.#parts;
    if (name !== barrierHandler) return messages?.receive(name, message);
    // Subscribed in the same step: this instance may close as soon as the round is complete.
    const sender = this.#port?.senderOf(message) ?? null;
    if (sender === null) {
      throw new ZeromeshError(
        "PEER_UNKNOWN",
        "Cannot arrive at a barrier: the calling instance has not introduced itself (_hello)",
      );
    }
    const enroll = (round: EventHandle) => subscribers?.enroll(message, round);
    return this.#barriers.receive(message.lentPayload, sender.instanceId, enroll);
  }

  /** A participant whose instance stays away has left its barriers. */
  #lost(port: SystemPort, peer: InstanceId, rest: "up" | "down" | "gone"): void {
    const barriers = this.#barriers;
    if (rest === "up" || !barriers.waits(peer)) return;
    // Only a zeromesh instance reconnects by itself to the host of its barrier.
    if (rest === "gone" || !(port.isOurs(peer) || port.hasWay(peer))) return barriers.leave(peer);
    this.#afterGrace(() => {
      if (!port.hasWay(peer)) barriers.leave(peer);
    });
  }

  #afterGrace(run: () => void): void {
    this.#deadlines.add(new Alarm(run), this.#options.ownerGraceMs);
  }

  #elsewhere(handle: EventHandle): EventMessages {
    const { messages } = this.#parts;
    if (messages !== null) return messages;
    throw unknownError(handle, "it is not one of this manager");
  }

  async #arriveAt(at: InstanceId, payload: Uint8Array, options: AwaiterOptions): Promise<Uint8Array> {
    const port = this.#port;
    if (port === null) {
      throw new TypeError("Cannot make a barrier at another instance: these events belong to no messenger");
    }
    if (!port.isUp(at)) await port.reach(at, options.timeoutMs ?? this.#options.ownerGraceMs);
    if (port.supports(at, "events")) {
      return await asMethod("arrive", port.call(barrierHandler, at, payload, options));
    }
    throw new ZeromeshError(
      "PEER_LACKS_FEATURE",
      `Cannot arrive at a barrier of peer ${port.textOf(at)}: it does not support barriers`,
      { peer: at },
    );
  }
}

const done = Promise.resolve();

/** Checks the handle and the options of a wait. @throws The reason of a signal that has aborted. */
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
