import { type Backend, type Handle, PollEvent } from "../../ffi/mod.ts";
import { Deque, errorText, type Logger, TimeSlice } from "../core/mod.ts";
import type { ReactorOptions, ReactorStats } from "./reactor_options.ts";
import { type Awaited, ReactorWaits } from "./reactor_waits.ts";
import { Registration, signalOf, type Source } from "./source.ts";

// A drain lasts this long, or this many messages, before replies leave and other I/O gets a turn. Sockets are read in
// turns, this many messages of each at once, and fewer when they take long.
const passMs = 1;
const messagesPerPass = 256;
const messagesAtOnce = 8;
/**
 * Waits for all sockets of a JavaScript thread, and reads them.
 *
 * `ZMQ_FD` is edge-triggered and signals a command, not a message. So before a wait the last call on every socket must
 * have returned "not ready": receiving goes on until `EAGAIN`, and `ZMQ_EVENTS` is read after every send.
 */
export class Reactor implements Awaited {
  readonly #backend: Backend;
  readonly #logger: Logger;
  readonly #waits: ReactorWaits;
  /** The time of the pass, which long work checks. */
  readonly slice: TimeSlice;
  #registrations: (Registration | null)[] = [];
  #freeTokens: number[] = [];
  #first: Registration | null = null;
  readonly #readable = new Deque<Registration>();
  #touched: Registration[] = [];
  #blocked = new Set<Registration>();
  readonly #fired = new Int32Array(64);
  /** Registrations that somebody waits for. */
  #wanted = 0;
  #messages = 0;
  #idleWakes = 0;

  private constructor(backend: Backend, options: ReactorOptions) {
    this.#backend = backend;
    this.#logger = options.logger;
    this.#waits = new ReactorWaits(backend, options, this);
    this.slice = new TimeSlice(options.clock, passMs);
  }

  /** Makes a reactor with its waiter. */
  static async create(backend: Backend, options: ReactorOptions): Promise<Reactor> {
    const reactor = new Reactor(backend, options);
    await reactor.#waits.openWaiter();
    return reactor;
  }

  /** Makes a reactor whose waiter is made for its first wait. */
  static open(backend: Backend, options: ReactorOptions): Reactor {
    return new Reactor(backend, options);
  }

  /** Counters. */
  stats(): ReactorStats {
    return { ...this.#waits.stats(), messages: this.#messages, idleWakes: this.#idleWakes };
  }

  /** Whether somebody waits for a socket. Called by the waits. */
  get wanted(): boolean {
    return this.#wanted > 0;
  }

  /**
   * Starts reading a socket.
   *
   * @param options `first` reads this socket before all others, for the monitors' reader. `idle` reads it only while
   * {@link want} says so.
   */
  add(socket: Handle, source: Source, options: { first?: boolean; idle?: boolean } = {}): Registration {
    const signal = signalOf(this.#backend, socket);
    const token = this.#freeTokens.pop() ?? this.#registrations.length;
    const registration = new Registration(socket, signal, token, source);
    this.#registrations[token] = registration;
    if (options.first) this.#first = registration;
    if (options.idle) {
      registration.wants = 0;
      return registration;
    }
    this.#wanted++;
    this.#watch(registration);
    this.touch(registration);
    return registration;
  }

  /**
   * Sets what somebody waits for on a socket. Its last call must have answered "not ready". A socket that nobody waits
   * for costs nothing, whatever arrives: its descriptor is no longer watched once it becomes readable.
   *
   * @param events Bits of `PollEvent`; the reactor calls the source when one of them is set.
   */
  want(registration: Registration, events: number): void {
    const before = registration.wants;
    if (before === events || registration.removed) return;
    registration.wants = events;
    if (before === 0) {
      this.#wanted++;
      this.#watch(registration);
      this.#waits.begin();
    } else if (events === 0) this.#unwanted();
  }

  /** Stops reading a socket. To be called before the socket is closed. Idempotent. */
  remove(registration: Registration): void {
    if (registration.removed) return;
    registration.removed = true;
    if (registration.watched) this.#waits.unwatch(registration.fd);
    if (registration.wants !== 0) this.#unwanted();
    if (this.#first === registration) this.#first = null;
    this.#blocked.delete(registration);
    registration.poller?.close();
    this.#registrations[registration.token] = null;
    this.#freeTokens.push(registration.token);
  }

  /** Notes a send: the socket's `ZMQ_EVENTS` is read before the next wait. */
  touch(registration: Registration): void {
    if (registration.touched || registration.removed || registration.wants === 0) return;
    registration.touched = true;
    this.#touched.push(registration);
    this.#waits.wakeUp();
  }

  /** Sets whether a socket's sends wait for room. */
  setBlocked(registration: Registration, blocked: boolean): void {
    if (!blocked || registration.removed) return void this.#blocked.delete(registration);
    this.#blocked.add(registration);
    this.#waits.wakeUp();
  }

  #watch(registration: Registration): void {
    if (registration.watched) return;
    registration.watched = true;
    this.#waits.watch(registration.fd, registration.token);
  }

  /** One registration less is waited for. Without one no wait is left behind. */
  #unwanted(): void {
    if (--this.#wanted === 0) this.#waits.endNeedless();
  }

  /** Does all work that there is. Called by the waits. */
  pump(): void {
    const waits = this.#waits;
    waits.pumping = true;
    try {
      for (;;) {
        const woken = waits.signalled;
        if (woken) this.#collectFired();
        const count = this.#drain();
        const retried = this.#blocked.size === 0 ? 0 : this.#retryBlocked();
        if (count > 0) this.slice.end(waits.measureGap(count));
        else if (woken && retried === 0) this.#idleWakes++;
        if (count > 0 || retried > 0) {
          // While sockets have more messages than a pass reads, there is no wait that reports the others.
          if (this.#readable.size > 0) waits.signalled = this.#checkTouched();
          // Microtasks run only after this stack: continuations of replies come first.
          return waits.again();
        }
        if (this.#checkTouched() || waits.signalled) continue;
        if (!waits.rest()) return;
      }
    } finally {
      waits.pumping = false;
    }
  }

  /** Watches the descriptors with a new waiter. Called by the waits. */
  watchAll(): void {
    for (const registration of this.#registrations) {
      if (registration === null || !registration.watched) continue;
      this.#waits.watch(registration.fd, registration.token);
      this.touch(registration);
    }
  }

  /** Counts messages that were received without the reactor, which then knows how dense the traffic is. */
  took(count: number): void {
    this.#waits.taken += count;
  }

  /** Calls back after other work of the event loop got a turn. */
  soon(callback: () => void): void {
    this.#waits.soon(callback);
  }

  /** Calls back in the next turn of the event loop, also after the reactor was closed. */
  nextTurn(callback: () => void): void {
    setImmediate(callback);
  }

  /** Reads the received messages of touched sockets before this turn of the event loop ends. */
  readSoon(): void {
    this.#waits.pumpSoon();
  }

  /** Keeps the process alive until the matching {@link unref}. Calls are counted. */
  ref(): void {
    this.#waits.ref();
  }

  /** Undoes one {@link ref}. */
  unref(): void {
    this.#waits.unref();
  }

  /** Ends the wait and frees its descriptors. All sockets must have been removed. Idempotent. */
  close(): Promise<void> {
    return this.#waits.close();
  }

  /** {@link close} for the end of the program: complete when it returns. */
  closeNow(): void {
    this.#waits.closeNow();
  }

  #collectFired(): void {
    const fired = this.#fired;
    const count = this.#waits.fired(fired);
    for (let i = 0; i < count; i++) {
      const registration = this.#registrations[fired[i] ?? -1];
      if (!registration) continue;
      registration.poller?.clear();
      if (registration.wants !== 0) this.#markReadable(registration);
      else if (registration.watched) {
        registration.watched = false;
        this.#waits.unwatch(registration.fd);
      }
    }
    // A full list may hide more. Sockets just marked are read first.
    this.#waits.signalled = count === fired.length;
  }

  #markReadable(registration: Registration): void {
    if (registration.readable || registration.removed) return;
    registration.readable = true;
    this.#readable.push(registration);
  }

  #drain(): number {
    const { slice } = this;
    const first = this.#first;
    const readable = this.#readable;
    if (readable.size === 0 && first?.readable !== true) return 0;
    slice.begin();
    let total = 0;
    if (first !== null && first.readable) total += this.#receive(first, messagesPerPass);
    while (total < messagesPerPass && !slice.over) {
      const registration = readable.shift();
      if (registration === undefined) break;
      if (registration.removed || !registration.readable) continue;
      const count = this.#receive(registration, Math.min(messagesAtOnce, slice.left));
      if (registration.readable) readable.push(registration);
      // A socket that is never empty notices other peers' messages only every hundred parts, unless it is asked. A
      // socket found empty is not asked: that would consume the signal of messages received since.
      if (slice.spend(count) && registration.readable) this.#backend.events(registration.socket);
      total += count;
    }
    return total;
  }

  #receive(registration: Registration, budget: number): number {
    let count: number;
    try {
      count = registration.source.receive(budget);
    } catch (error) {
      // A defect of this library; the socket is read again so that it is not stuck.
      this.#logger.error("reading a socket failed", { error: errorText(error) });
      count = budget;
    }
    if (count < budget || registration.removed) registration.readable = false;
    this.#messages += count;
    return count;
  }

  #retryBlocked(): number {
    let count = 0;
    for (const registration of this.#blocked) {
      const { source } = registration;
      count += source.retry?.() ?? 0;
      if (source.blocked) {
        // A send may return EAGAIN from a state that is a millisecond old, and may consume the very command that brings
        // room. Reading ZMQ_EVENTS processes every command; later sends consume none, since libzmq looks only once a
        // millisecond. A socket still blocked then is woken by its descriptor.
        const events = this.#backend.events(registration.socket);
        if (events > 0 && (events & PollEvent.POLLIN) !== 0) this.#markReadable(registration);
        count += source.retry?.() ?? 0;
      }
      if (!source.blocked) this.#blocked.delete(registration);
    }
    return count;
  }

  #checkTouched(): boolean {
    const touched = this.#touched;
    let ready = this.#readable.size > 0;
    for (let i = 0; i < touched.length; i++) {
      const registration = touched[i]!;
      registration.touched = false;
      // A blocked socket was read just now, and another read could consume the command it waits for.
      if (registration.removed || registration.wants === 0 || this.#blocked.has(registration)) continue;
      const events = this.#backend.events(registration.socket);
      // An error is the source's to find.
      if (events < 0 || (events & registration.wants) !== 0) {
        this.#markReadable(registration);
        ready = true;
      }
    }
    touched.length = 0;
    return ready;
  }
}
