import { type Backend, type Handle, PollEvent, type Waiter } from "../../ffi/mod.ts";
import { type Clock, Deque, errorText, type Logger, TimeSlice } from "../core/mod.ts";
import type { ReactorOptions, ReactorStats } from "./reactor_options.ts";
import { descriptorOf, Registration, type Source } from "./source.ts";

// A drain lasts this long, or this many messages, before replies leave and other I/O gets a turn. Sockets are read in
// turns, this many messages of each at once, and fewer when they take long.
const passMs = 1;
const messagesPerPass = 256;
const messagesAtOnce = 8;
// Traffic is dense when messages come closer than this, as a running mean; waiting on the thread in short slices then
// saves the cost of a park. It stops after as long without a message.
const denseGapMs = 5;
const longestGapMs = 20;
const sliceUs = 1_000;
// Traffic is tight below this gap; polling again for a moment, and yielding the core to libzmq's threads, is then
// faster and cheaper than a sleep and a wake-up. The numbers are at the waiter's slicer.
const tightGapMs = 0.5;
const spinUs = 150;
// Not so when passes read many messages: libzmq's threads are then busy all the time, and a polling thread takes their
// cores. Measured with 64 unbatched calls in flight on two cores: 76 000/s polling, 197 000/s sleeping.
const spinUpToMessages = 5;
// If setImmediate alone delays other I/O, a real turn is taken this often.
const realTurnMs = 1;
// Bun ends a program after an uncaught error only in a turn without a setImmediate: one comes after this many.
const immediatesInARow = 64;

/**
 * Waits for all sockets of a JavaScript thread, and reads them.
 *
 * `ZMQ_FD` is edge-triggered and signals a command, not a message. So before a wait the last call on every socket must
 * have returned "not ready": receiving goes on until `EAGAIN`, and `ZMQ_EVENTS` is read after every send.
 */
export class Reactor {
  readonly #backend: Backend;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** The time of the pass, which long work checks. */
  readonly slice: TimeSlice;
  #waiter!: Waiter;
  #registrations: (Registration | null)[] = [];
  #freeTokens: number[] = [];
  #first: Registration | null = null;
  readonly #readable = new Deque<Registration>();
  #touched: Registration[] = [];
  #blocked = new Set<Registration>();
  readonly #fired = new Int32Array(64);
  #armed = false;
  #signalled = false;
  #scheduled = false;
  #immediates = 0;
  #ringing = false;
  #pumping = false;
  #closed = false;
  #refs = 0;
  #gapMs = longestGapMs;
  #burst = 1;
  #lastMessageAt = 0;
  #lastRealTurn = 0;
  #messages = 0;
  #wakes = 0;
  #idleWakes = 0;
  #parks = 0;
  #slices = 0;

  private constructor(backend: Backend, options: ReactorOptions) {
    this.#backend = backend;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.slice = new TimeSlice(options.clock, passMs);
  }

  /** Makes a reactor with its waiter. */
  static async create(backend: Backend, options: ReactorOptions): Promise<Reactor> {
    const reactor = new Reactor(backend, options);
    reactor.#waiter = await reactor.#openWaiter(options.waiter ?? "auto");
    return reactor;
  }

  /** Counters. */
  stats(): ReactorStats {
    return {
      waiter: this.#waiter.kind,
      messages: this.#messages,
      wakes: this.#wakes,
      idleWakes: this.#idleWakes,
      parks: this.#parks,
      slices: this.#slices,
    };
  }

  /**
   * Starts reading a socket.
   *
   * @param options `first` reads this socket before all others, for the monitors' reader.
   */
  add(socket: Handle, source: Source, options: { first?: boolean } = {}): Registration {
    const fd = descriptorOf(this.#backend, socket);
    const token = this.#freeTokens.pop() ?? this.#registrations.length;
    const registration = new Registration(socket, fd, token, source);
    this.#registrations[token] = registration;
    if (options.first) this.#first = registration;
    this.#waiter.add(fd, token);
    this.touch(registration);
    return registration;
  }

  /** Stops reading a socket. To be called before the socket is closed. Idempotent. */
  remove(registration: Registration): void {
    if (registration.removed) return;
    registration.removed = true;
    if (!this.#closed) this.#waiter.remove(registration.fd);
    if (this.#first === registration) this.#first = null;
    this.#blocked.delete(registration);
    this.#registrations[registration.token] = null;
    this.#freeTokens.push(registration.token);
  }

  /** Notes a send: the socket's `ZMQ_EVENTS` is read before the next wait. */
  touch(registration: Registration): void {
    if (registration.touched || registration.removed) return;
    registration.touched = true;
    this.#touched.push(registration);
    if (!this.#pumping) this.#schedule();
  }

  /** Sets whether a socket's sends wait for room. */
  setBlocked(registration: Registration, blocked: boolean): void {
    if (!blocked || registration.removed) return void this.#blocked.delete(registration);
    this.#blocked.add(registration);
    if (!this.#pumping) this.#schedule();
  }

  /** Calls back in the next turn of the event loop, also after the reactor was closed. */
  nextTurn(callback: () => void): void {
    setImmediate(callback);
  }

  /** Reads the received messages of touched sockets before this turn of the event loop ends. */
  readSoon(): void {
    queueMicrotask(this.#onMicrotask);
  }

  /** Keeps the process alive until the matching {@link unref}. Calls are counted. */
  ref(): void {
    if (++this.#refs !== 1 || this.#closed) return;
    this.#waiter.ref();
    // Only a wait that has begun keeps a process alive, and before the first socket there is none.
    if (this.#parks === 0) this.#schedule();
  }

  /** Undoes one {@link ref}. */
  unref(): void {
    if (--this.#refs === 0 && !this.#closed) this.#waiter.unref();
  }

  /** Ends the wait and frees its descriptors. All sockets must have been removed. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#waiter.close();
  }

  /** {@link close} for the end of the program: complete when it returns. */
  closeNow(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiter.closeNow();
  }

  async #openWaiter(kind: "auto" | "loop" | "worker"): Promise<Waiter> {
    const waiter = await this.#backend.waiter({
      onWake: () => this.#wake(),
      onFailure: (reason) => void this.#replaceWaiter(reason),
      kind,
    });
    if (this.#refs === 0) waiter.unref();
    return waiter;
  }

  async #replaceWaiter(reason: string): Promise<void> {
    if (this.#closed) return;
    this.#logger.warn("the wait on sockets broke; a worker thread takes over", { reason });
    const broken = this.#waiter;
    const waiter = await this.#openWaiter("worker");
    if (this.#closed) return void waiter.close();
    this.#waiter = waiter;
    this.#armed = this.#ringing = false;
    for (const registration of this.#registrations) {
      if (registration === null) continue;
      waiter.add(registration.fd, registration.token);
      this.touch(registration);
    }
    this.#schedule();
    await broken.close();
  }

  #wake(): void {
    this.#armed = this.#ringing = false;
    if (this.#closed) return;
    this.#signalled = true;
    this.#wakes++;
    this.#lastRealTurn = this.#clock.now();
    if (!this.#scheduled && !this.#pumping) this.#pump();
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed || this.#ringing) return;
    if (++this.#immediates > immediatesInARow) return this.#ring();
    this.#scheduled = true;
    setImmediate(this.#onImmediate);
  }

  readonly #onImmediate = (): void => {
    this.#scheduled = false;
    this.#onMicrotask();
  };

  readonly #onMicrotask = (): void => {
    // While a wake is under way, reading the fired descriptors would clear the bell that causes it.
    if (!this.#closed && !this.#pumping && !this.#ringing) this.#pump();
  };

  #pump(): void {
    this.#pumping = true;
    try {
      for (;;) {
        const woken = this.#signalled;
        if (woken) this.#collectFired();
        const count = this.#drain();
        const retried = this.#blocked.size === 0 ? 0 : this.#retryBlocked();
        if (count > 0) this.#measureGap(count);
        else if (woken && retried === 0) this.#idleWakes++;
        if (count > 0 || retried > 0) {
          // While sockets have more messages than a pass reads, there is no wait that reports the others.
          if (this.#readable.size > 0) this.#signalled = this.#checkTouched();
          // Microtasks run only after this stack: continuations of replies come first.
          return this.#again();
        }
        if (this.#checkTouched()) continue;
        if (this.#signalled) continue;
        if (this.#scheduled || !this.#rest()) return;
      }
    } finally {
      this.#pumping = false;
    }
  }

  #collectFired(): void {
    const fired = this.#fired;
    const count = this.#waiter.fired(fired);
    for (let i = 0; i < count; i++) {
      const registration = this.#registrations[fired[i] ?? -1];
      if (registration) this.#markReadable(registration);
    }
    // A full list may hide more. Sockets just marked are read first.
    this.#signalled = count === fired.length;
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
      if (registration.removed || this.#blocked.has(registration)) continue;
      const events = this.#backend.events(registration.socket);
      if (events > 0 && (events & PollEvent.POLLIN) !== 0) {
        this.#markReadable(registration);
        ready = true;
      }
    }
    touched.length = 0;
    return ready;
  }

  #measureGap(count: number): void {
    const now = this.#clock.now();
    const gap = Math.min(longestGapMs, (now - this.#lastMessageAt) / count);
    this.#gapMs += (gap - this.#gapMs) / 8;
    this.#burst += (count - this.#burst) / 8;
    this.#lastMessageAt = now;
    this.slice.end(now);
  }

  /** Waits when there is no work. Returns whether the reactor should continue at once. */
  #rest(): boolean {
    const slice = this.#waiter.slice;
    if (slice === undefined || this.#armed || this.#gapMs >= denseGapMs) return this.#park();
    const now = this.#clock.now();
    if (now - this.#lastMessageAt > denseGapMs) {
      this.#gapMs = longestGapMs;
      return this.#park();
    }
    this.#slices++;
    const spins = this.#gapMs < tightGapMs && this.#burst < spinUpToMessages;
    const ready = slice(sliceUs, spins ? spinUs : 0);
    if ((ready & 1) !== 0) {
      this.#signalled = true;
      if ((ready & 2) === 0) return true;
      this.#again();
      return false;
    }
    if ((ready & 2) !== 0 && !this.#waiter.fairImmediate) return this.#park();
    this.#schedule();
    return false;
  }

  #park(): boolean {
    if (!this.#armed) {
      this.#armed = true;
      this.#parks++;
      this.#waiter.arm();
    }
    return false;
  }

  /** A wait that ends at once: a real turn of the runtime's I/O, without an immediate. */
  #ring(): void {
    if (this.#immediates > immediatesInARow + 2) this.#immediates = 0;
    this.#ringing = true;
    this.#park();
    this.#waiter.ring();
  }

  #again(): void {
    if (!this.#waiter.fairImmediate && !this.#armed) {
      const now = this.#clock.now();
      if (now - this.#lastRealTurn > realTurnMs) {
        this.#lastRealTurn = now;
        const slice = this.#waiter.slice;
        if (slice !== undefined && (slice(0, 0) & 2) === 0) return this.#schedule();
        return this.#ring();
      }
    }
    this.#schedule();
  }
}
