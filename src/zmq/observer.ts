import { checkArgument, Deque, option } from "../core/mod.ts";
import { Errno } from "../libzmq/mod.ts";
import { checkCount } from "./arguments.ts";
import { errnoError } from "./errors.ts";
import type { Event, EventOfType, EventType } from "./events.ts";
import { Monitor } from "./monitor.ts";
import { cores } from "./socket_core.ts";

const bufferRule = option.whole(1, 2 ** 30);

type Listener = (event: Event) => void;

/** Where listeners of events are added and removed: an {@link Observer}. */
export interface EventSubscriber {
  /** Calls a function for each event of a type. */
  on<E extends EventType>(type: E, listener: (event: EventOfType<E>) => void): EventSubscriber;
  /** Undoes one {@link on}. */
  off<E extends EventType>(type: E, listener: (event: EventOfType<E>) => void): EventSubscriber;
}

/** A `receive` that waits. */
interface Waiting {
  readonly resolve: (event: Event) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The events of a socket: `socket.events`. They are read with `receive` or `for await`, or heard with `on`, but not
 * both.
 *
 * Events count from the first access to `socket.events`. Up to {@link maxBuffered} wait for their reader; beyond
 * that the oldest ones are dropped, and {@link dropped} counts them.
 *
 * @example Usage
 * ```ts ignore
 * import { Router } from "zeromesh/zmq";
 *
 * const router = new Router();
 * router.events.on("accept", ({ address }) => console.log(`a connection to ${address}`));
 * await router.bind("tcp://127.0.0.1:*");
 * ```
 */
export class Observer implements EventSubscriber {
  readonly #monitor: Monitor;
  readonly #listeners = new Map<EventType, Listener[]>();
  readonly #unread = new Deque<Event>();
  readonly #hold: { ref(): void; unref(): void };
  // The monitor holds this observer, which must not hold an unused socket in turn.
  readonly #socket: WeakRef<object>;
  /** The socket, as long as somebody waits for its events. */
  #owner: object | null = null;
  #waiting: Waiting | null = null;
  #maxBuffered = 10_000;
  #dropped = 0;
  #emits = false;
  #flushing = false;
  #ended = false;
  #closed = false;

  /**
   * Called by `socket.events`, and needed by no program.
   *
   * @param socket The socket, which can have one observer.
   */
  constructor(socket: object) {
    const core = cores.get(socket);
    if (core === undefined) throw new TypeError("Socket must be a socket object");
    this.#socket = new WeakRef(socket);
    this.#hold = core.loop.reactor;
    this.#monitor = new Monitor(core.loop, core.context, core.handle, (event) => this.#take(event));
    core.monitor = this.#monitor;
    Object.preventExtensions(this);
  }

  /** Whether there are no more events: the last one was read, or the observer was closed. */
  get closed(): boolean {
    return this.#closed || (this.#ended && this.#unread.size === 0);
  }

  /**
   * The most events that wait for their reader; at the limit the oldest is dropped. It can be set at any time.
   *
   * @default {10_000}
   * @throws {TypeError} If it is set to no integer.
   * @throws {RangeError} If it is set to one below 1.
   */
  get maxBuffered(): number {
    return this.#maxBuffered;
  }

  set maxBuffered(most: number) {
    checkArgument("maxBuffered", most, bufferRule, "Cannot set the limit of unread events");
    this.#maxBuffered = most;
    this.#limit();
  }

  /** How many events were dropped because {@link maxBuffered} waited already. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Ends the observation. A `receive` that waits fails with `EAGAIN`. The socket stays open. */
  close(): void {
    checkCount(arguments, 0);
    if (this.#closed) return;
    this.#closed = true;
    this.#monitor.stop();
    while (this.#unread.shift() !== undefined);
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(
      errnoError(Errno.EAGAIN, { detail: "The observer was closed while it waited for an event" }),
    );
    this.#keepAlive();
  }

  /**
   * The next event, now or when there is one.
   *
   * @throws {ErrnoError} `EBADF` after the last event, `EBUSY` while another call waits.
   * @throws {Error} After {@link on}.
   */
  receive(): Promise<Event> {
    checkCount(arguments, 0);
    if (this.#emits) {
      throw new Error(
        "Observer is in event emitter mode. After a call to events.on() it is not possible to read events with events.receive().",
      );
    }
    if (this.closed) {
      throw errnoError(Errno.EBADF, { detail: "Its last event was read, or its observer was closed" });
    }
    if (this.#waiting !== null) {
      throw errnoError(Errno.EBUSY, {
        message: "Observer is busy reading; only one receive operation may be in progress at any time",
        detail: "Wait for its last receive before the next",
      });
    }
    const event = this.#unread.shift();
    if (event !== undefined) return Promise.resolve(event);
    const { promise, resolve, reject } = Promise.withResolvers<Event>();
    this.#waiting = { resolve, reject };
    this.#keepAlive();
    return promise;
  }

  /** Calls a function for each event of a type, in the order of events. */
  on<E extends EventType>(type: E, listener: (event: EventOfType<E>) => void): this {
    this.#emits = true;
    // A new list, so that a change during an event concerns the next one.
    this.#listeners.set(type, [...this.#listeners.get(type) ?? [], listener as unknown as Listener]);
    this.#flush();
    this.#keepAlive();
    return this;
  }

  /** Undoes one {@link on}. */
  off<E extends EventType>(type: E, listener: (event: EventOfType<E>) => void): this {
    const listeners = this.#listeners.get(type) ?? [];
    const index = listeners.lastIndexOf(listener as unknown as Listener);
    if (index >= 0) this.#listeners.set(type, listeners.toSpliced(index, 1));
    return this;
  }

  /** The events until the last one, `end`. */
  [Symbol.asyncIterator](): AsyncIterator<Event, undefined> {
    const next = async (): Promise<IteratorResult<Event, undefined>> => {
      if (this.closed) return { value: undefined, done: true };
      try {
        return { value: await this.receive(), done: false };
      } catch (error) {
        if (this.#closed) return { value: undefined, done: true };
        throw error;
      }
    };
    return { next };
  }

  #take(event: Event): void {
    if (event.type === "end") this.#ended = true;
    if (this.#closed) return;
    const waiting = this.#waiting;
    if (waiting !== null) {
      this.#waiting = null;
      waiting.resolve(event);
    } else {
      this.#unread.push(event);
      this.#limit();
      if (this.#emits) this.#flush();
    }
    this.#keepAlive();
  }

  #limit(): void {
    for (; this.#unread.size > this.#maxBuffered; this.#dropped++) this.#unread.shift();
  }

  /** Calls the listeners in a later step, so that they may do what they like with the socket. */
  #flush(): void {
    if (this.#flushing || this.#unread.size === 0) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      const event = this.#unread.shift();
      if (event === undefined) return;
      // The next event has a step of its own, also after a listener that throws.
      this.#flush();
      for (const listener of this.#listeners.get(event.type) ?? []) listener(event);
    });
  }

  /** Waiting for events keeps the socket and the process alive until the last one. */
  #keepAlive(): void {
    const wanted = !this.closed && !this.#ended && (this.#waiting !== null || this.#emits);
    if (wanted === (this.#owner !== null)) return;
    this.#owner = wanted ? this.#socket.deref() ?? null : null;
    if (wanted) this.#hold.ref();
    else this.#hold.unref();
  }
}
