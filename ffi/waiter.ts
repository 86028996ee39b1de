import { option, type OptionTable, readOptions } from "../src/core/mod.ts";
import type { Waiter, WaiterOptions } from "./backend.ts";
import type { PollSet } from "./poll_set.ts";

const waiterOptionTable: OptionTable<WaiterOptions> = {
  onWake: option.function,
  onFailure: option.function,
  kind: option.oneOf("auto", "loop", "worker"),
};

/** Checks the options of a waiter. @throws {TypeError} If one is unknown or has the wrong type. */
export function readWaiterOptions(options: WaiterOptions): WaiterOptions {
  return readOptions(options, waiterOptionTable, "Cannot make a waiter");
}

/** A way to wait for a poll set's descriptor. */
export interface Park {
  /** See {@link Waiter.kind}. */
  readonly kind: "loop" | "worker";
  /** Starts a wait. It ends in `woken` or `failed`, called from the event loop. Never called during a wait. */
  start(): void;
  /** Sets whether a wait keeps the process alive, also for the current one. */
  reference(referenced: boolean): void;
  /** Frees its resources; no wait is under way. */
  close(): Promise<void>;
  /** Waits on this thread until the ended wait has released the descriptor; for {@link Waiter.closeNow}. */
  settle?(): void;
}

/** Callbacks of a {@link Park}. */
export interface ParkEvents {
  /** The wait ended. */
  woken(): void;
  /** Waiting in this way fails for good. */
  failed(reason: string): void;
}

/** Makes a {@link Park}. */
export type ParkFactory = (fd: number, events: ParkEvents) => Park | Promise<Park>;

/** The parts of a {@link ParkingWaiter}. */
export interface ParkingParts {
  /** The descriptors. The waiter closes the set. */
  readonly set: PollSet;
  /** Waits on the calling thread; see {@link Waiter.slice}. */
  readonly slice?: ((us: number, spinUs: number) => number) | undefined;
  /** See {@link Waiter.fairImmediate}. */
  readonly fairImmediate: boolean;
  /** Replaces the first way when it fails. */
  readonly fallback?: ParkFactory | undefined;
}

/** How long `close` waits for the end of a wait; only a broken runtime needs it. */
const closeTimeoutMs = 1000;

/** The waiter: a poll set, and a {@link Park} to wait for it. */
export class ParkingWaiter implements Waiter {
  readonly slice: ((us: number, spinUs: number) => number) | undefined;
  readonly fairImmediate: boolean;
  readonly #set: PollSet;
  readonly #options: WaiterOptions;
  readonly #fallback: ParkFactory | undefined;
  #park: Park | undefined;
  #armed = false;
  #started = false;
  #referenced = true;
  #closed: Promise<void> | undefined;
  #ended: (() => void) | undefined;

  constructor(parts: ParkingParts, options: WaiterOptions) {
    this.#set = parts.set;
    this.#fallback = parts.fallback;
    this.#options = options;
    this.slice = parts.slice;
    this.fairImmediate = parts.fairImmediate;
  }

  /** Makes a waiter that is ready to wait. */
  static async open(parts: ParkingParts, park: ParkFactory, options: WaiterOptions): Promise<ParkingWaiter> {
    const waiter = new ParkingWaiter(parts, options);
    try {
      waiter.#park = await park(parts.set.fd, waiter.#events());
    } catch (error) {
      parts.set.close();
      throw error;
    }
    return waiter;
  }

  get kind(): "loop" | "worker" {
    return this.#park?.kind ?? "worker";
  }

  add(fd: number, token: number): void {
    if (this.#closed === undefined) this.#set.add(fd, token);
  }

  remove(fd: number): void {
    if (this.#closed === undefined) this.#set.remove(fd);
  }

  fired(out: Int32Array): number {
    return this.#closed === undefined ? this.#set.fired(out) : 0;
  }

  arm(): void {
    if (this.#armed || this.#closed !== undefined) return;
    this.#armed = true;
    this.#start();
  }

  ring(): void {
    if (this.#closed === undefined) this.#set.ring();
  }

  ref(): void {
    this.#reference(true);
  }

  unref(): void {
    this.#reference(false);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  closeNow(): void {
    if (this.#closed !== undefined) return;
    this.#closed = Promise.resolve();
    if (this.#armed) {
      this.#set.ring();
      this.#park?.settle?.();
    }
    this.#set.close();
  }

  async #close(): Promise<void> {
    if (this.#armed) {
      this.#set.ring();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#ended = resolve;
      const timer = setTimeout(resolve, closeTimeoutMs);
      await promise;
      clearTimeout(timer);
    }
    await this.#park?.close();
    this.#set.close();
  }

  #reference(referenced: boolean): void {
    this.#referenced = referenced;
    this.#park?.reference(referenced);
  }

  #start(): void {
    if (this.#park === undefined) return;
    this.#started = true;
    this.#park.start();
  }

  #events(): ParkEvents {
    return { woken: () => this.#woken(), failed: (reason) => void this.#failed(reason) };
  }

  #woken(): void {
    if (!this.#armed) return;
    this.#armed = false;
    this.#started = false;
    if (this.#closed !== undefined) this.#ended?.();
    else this.#options.onWake();
  }

  async #failed(reason: string): Promise<void> {
    const broken = this.#park;
    this.#park = undefined;
    this.#started = false;
    // `close` may wait for a wake that will not come.
    this.#ended?.();
    try {
      await broken?.close();
      if (this.#fallback === undefined || broken?.kind === "worker") throw new Error(reason);
      const park = await this.#fallback(this.#set.fd, this.#events());
      if (this.#closed !== undefined) return await park.close();
      park.reference(this.#referenced);
      this.#park = park;
      if (this.#armed && !this.#started) this.#start();
    } catch (error) {
      this.#ended?.();
      if (this.#closed === undefined) {
        this.#options.onFailure(error instanceof Error ? error.message : reason);
      }
    }
  }
}

/** How long the probe waits for a wake; normally it takes much less, except on a loaded machine. */
const probeTimeoutMs = 250;

/**
 * Tests a way of waiting: it must sleep while nothing is readable, and wake when a descriptor is.
 *
 * @param set A poll set for the test, which the caller closes.
 * @param make The way of waiting.
 * @param parked Called during the wait.
 * @returns Null, or why it cannot be used.
 */
export async function probePark(
  set: PollSet,
  make: ParkFactory,
  parked?: () => void,
): Promise<string | null> {
  let ended: "no" | "woken" | "failed" = "no";
  let reason = "";
  let end: (() => void) | undefined;
  const park = await make(set.fd, {
    woken: () => {
      if (ended === "no") ended = "woken";
      end?.();
    },
    failed: (text) => {
      ended = "failed";
      reason = text;
      end?.();
    },
  });
  park.start();
  await new Promise<void>((resolve) => setImmediate(resolve));
  const early = ended as "no" | "woken" | "failed";
  if (early === "no") {
    parked?.();
    const wait = Promise.withResolvers<void>();
    end = wait.resolve;
    const timer = setTimeout(wait.resolve, probeTimeoutMs);
    set.ring();
    await wait.promise;
    clearTimeout(timer);
  }
  await park.close();
  const late = ended as "no" | "woken" | "failed";
  if (late === "failed") return reason;
  if (early !== "no") return "the wait ended although nothing was readable";
  return late === "woken" ? null : `the wait did not end within ${probeTimeoutMs} ms`;
}
