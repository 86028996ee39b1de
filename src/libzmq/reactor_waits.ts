import type { Backend, Waiter } from "../../ffi/mod.ts";
import { type Clock, errorText, holdProcess, type Logger } from "../core/mod.ts";
import type { ReactorOptions, ReactorStats } from "./reactor_options.ts";

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
const openAgainMs = 50;
// Bun ends a program after an uncaught error only in a turn without a setImmediate: one comes after this many.
const immediatesInARow = 64;

/** What a {@link ReactorWaits} waits for. */
export interface Awaited {
  /** Does all work that there is, and calls {@link ReactorWaits.rest} when there is no more. */
  pump(): void;
  /** Whether somebody waits for a socket. */
  readonly wanted: boolean;
  /** Has every descriptor added that is watched, to a new waiter. */
  watchAll(): void;
}

/**
 * When a reactor works and how it waits: in a turn of the event loop, in a wait of the runtime, or in a short wait on
 * the thread. Only one of them is under way.
 */
export class ReactorWaits {
  readonly #backend: Backend;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #kind: "auto" | "loop" | "worker";
  readonly #awaited: Awaited;
  /** Whether descriptors may have become readable since they were looked at. */
  signalled = false;
  /** Messages that were received without the reactor since the last {@link measureGap}. */
  taken = 0;
  /** Whether the reactor works now. */
  pumping = false;
  /** Null until the first wait, unless {@link openWaiter} was called. */
  #waiter: Waiter | null = null;
  #opening = false;
  #armed = false;
  #scheduled = false;
  #immediates = 0;
  #ringing = false;
  #closed = false;
  #refs = 0;
  #referenced = false;
  #turns: (() => void)[] = [];
  #gapMs = longestGapMs;
  #burst = 1;
  #lastMessageAt = 0;
  #lastRealTurn = 0;
  #wakes = 0;
  #parks = 0;
  #slices = 0;

  constructor(backend: Backend, options: ReactorOptions, awaited: Awaited) {
    this.#backend = backend;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#kind = options.waiter ?? "auto";
    this.#awaited = awaited;
  }

  /** Its part of the reactor's counters. */
  stats(): Pick<ReactorStats, "waiter" | "wakes" | "parks" | "slices"> {
    return {
      waiter: this.#waiter?.kind ?? "loop",
      wakes: this.#wakes,
      parks: this.#parks,
      slices: this.#slices,
    };
  }

  /** Starts watching a descriptor. */
  watch(fd: number, token: number): void {
    this.#waiter?.add(fd, token);
  }

  /** Stops watching a descriptor, before its socket is closed. */
  unwatch(fd: number): void {
    if (!this.#closed) this.#waiter?.remove(fd);
  }

  /** Writes the tokens of readable descriptors and returns their number. */
  fired(out: Int32Array): number {
    return this.#waiter?.fired(out) ?? 0;
  }

  /** Begins a wait, if none is under way. */
  begin(): void {
    if (!this.#armed) this.wakeUp();
  }

  /** Lets the reactor work in the next turn of the event loop. */
  wakeUp(): void {
    if (!this.pumping) this.#schedule();
  }

  /** Lets the reactor work before this turn of the event loop ends. */
  pumpSoon(): void {
    queueMicrotask(this.#onMicrotask);
  }

  /** Ends the wait if nobody needs it. */
  endNeedless(): void {
    if (this.#refs === 0 && this.#armed && !this.#closed) this.#waiter?.ring();
  }

  /** Calls back after other work of the event loop got a turn. */
  soon(callback: () => void): void {
    this.#turns.push(callback);
    if (!this.pumping && !this.#scheduled) this.again();
  }

  /** Keeps the process alive until the matching {@link unref}. Calls are counted. */
  ref(): void {
    if (++this.#refs !== 1 || this.#closed) return;
    if (this.#armed) this.#reference();
    // Only a wait that has begun keeps a process alive.
    else this.wakeUp();
  }

  /** Undoes one {@link ref}. */
  unref(): void {
    if (--this.#refs > 0 || !this.#armed || this.#closed) return;
    if (this.#awaited.wanted) this.#reference();
    else this.endNeedless();
  }

  /** Ends the wait and frees its descriptors. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#waiter?.close();
  }

  /** {@link close} for the end of the program: complete when it returns. */
  closeNow(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiter?.closeNow();
  }

  /** Makes the waiter. */
  async openWaiter(): Promise<void> {
    this.#waiter = await this.#makeWaiter(this.#kind);
  }

  /**
   * Tells the waiter whether its wait keeps the process alive: only when that changes, and only for a wait. One that ends
   * at once does, as the `setImmediate` would for which it stands.
   */
  #reference(): void {
    const referenced = this.#refs > 0 || this.#ringing;
    if (referenced === this.#referenced) return;
    this.#referenced = referenced;
    if (referenced) this.#waiter?.ref();
    else this.#waiter?.unref();
  }

  async #makeWaiter(kind: "auto" | "loop" | "worker"): Promise<Waiter> {
    const waiter = await this.#backend.waiter({
      onWake: () => this.#wake(),
      onFailure: (reason) => void this.#replaceWaiter(reason),
      kind,
    });
    this.#referenced = this.#refs > 0;
    if (!this.#referenced) waiter.unref();
    return waiter;
  }

  /** Makes the waiter at the first wait. */
  async #openFirst(): Promise<void> {
    if (this.#opening) return;
    this.#opening = true;
    // There is no wait yet that could keep the process alive.
    using _process = holdProcess();
    while (!this.#closed && this.#waiter === null) {
      try {
        const waiter = await this.#makeWaiter(this.#kind);
        if (this.#closed) return void waiter.close();
        this.#use(waiter);
      } catch (error) {
        // Such as a lack of descriptors, which may pass.
        this.#logger.warn("cannot wait for sockets yet", { error: errorText(error) });
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#clock.after(openAgainMs, resolve);
        await promise;
      }
    }
  }

  async #replaceWaiter(reason: string): Promise<void> {
    if (this.#closed) return;
    this.#logger.warn("the wait on sockets broke; a worker thread takes over", { reason });
    const broken = this.#waiter;
    const waiter = await this.#makeWaiter("worker");
    if (this.#closed) return void waiter.close();
    this.#use(waiter);
    await broken?.close();
  }

  #use(waiter: Waiter): void {
    this.#waiter = waiter;
    this.#armed = this.#ringing = false;
    this.#awaited.watchAll();
    this.#schedule();
  }

  #wake(): void {
    this.#armed = this.#ringing = false;
    if (this.#closed) return;
    this.signalled = true;
    this.#wakes++;
    this.#lastRealTurn = this.#clock.now();
    if (this.#scheduled || this.pumping) return;
    this.#takeTurns();
    this.#awaited.pump();
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed || this.#ringing) return;
    if (++this.#immediates > immediatesInARow) {
      if (this.#waiter !== null) return this.#ring();
      void this.#openFirst();
    }
    this.#scheduled = true;
    setImmediate(this.#onImmediate);
  }

  readonly #onImmediate = (): void => {
    this.#scheduled = false;
    this.#takeTurns();
    this.#onMicrotask();
  };

  readonly #onMicrotask = (): void => {
    // While a wake is under way, reading the fired descriptors would clear the bell that causes it.
    if (!this.#closed && !this.pumping && !this.#ringing) this.#awaited.pump();
  };

  #takeTurns(): void {
    const turns = this.#turns;
    if (turns.length === 0) return;
    this.#turns = [];
    for (const turn of turns) turn();
  }

  /** Measures how dense the traffic is after a pass that read messages. Returns the time. */
  measureGap(read: number): number {
    const count = read + this.taken;
    this.taken = 0;
    const now = this.#clock.now();
    const gap = Math.min(longestGapMs, (now - this.#lastMessageAt) / count);
    this.#gapMs += (gap - this.#gapMs) / 8;
    this.#burst += (count - this.#burst) / 8;
    this.#lastMessageAt = now;
    return now;
  }

  /** Waits when there is no work. Returns whether the reactor should continue at once. */
  rest(): boolean {
    if (this.#turns.length > 0) this.again();
    if (this.#scheduled || (!this.#awaited.wanted && this.#refs === 0)) return false;
    const waiter = this.#waiter;
    if (waiter === null) {
      void this.#openFirst();
      return false;
    }
    const { slice } = waiter;
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
      this.signalled = true;
      if ((ready & 2) === 0) return true;
      this.again();
      return false;
    }
    if ((ready & 2) !== 0 && !waiter.fairImmediate) return this.#park();
    this.#schedule();
    return false;
  }

  #park(): boolean {
    if (!this.#armed && this.#waiter !== null) {
      this.#armed = true;
      this.#parks++;
      this.#reference();
      this.#waiter.arm();
    }
    return false;
  }

  /** A wait that ends at once: a real turn of the runtime's I/O, without an immediate. */
  #ring(): void {
    if (this.#immediates > immediatesInARow + 2) this.#immediates = 0;
    this.#ringing = true;
    if (this.#armed) this.#reference();
    else this.#park();
    this.#waiter?.ring();
  }

  /** Lets the reactor work again after other work of the event loop got a turn. */
  again(): void {
    if (this.#waiter?.fairImmediate === false && !this.#armed) {
      const now = this.#clock.now();
      if (now - this.#lastRealTurn > realTurnMs) {
        this.#lastRealTurn = now;
        const { slice } = this.#waiter;
        if (slice !== undefined && (slice(0, 0) & 2) === 0) return this.#schedule();
        return this.#ring();
      }
    }
    this.#schedule();
  }
}
