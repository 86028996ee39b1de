import type { CancelTimer, Clock } from "../core/mod.ts";
import type { Backend } from "../../ffi/mod.ts";

// After less than this nothing is worth giving back.
const muchBytes = 64 * 1024 * 1024;
// Traffic is over its peak when a second brings an eighth of it.
const lookMs = 1_000;
const partOfPeak = 8;
// While it runs, it stops whoever else wants memory, for tens of milliseconds in all.
const pauseMs = 5_000;

/**
 * Gives memory back to the system after much of it was used and is free again: the C library keeps it otherwise,
 * in pieces between what is still used, for as long as the process lives.
 */
export class MemoryReturn {
  readonly #backend: Backend;
  readonly #clock: Clock;
  #bytes = 0;
  #peakBytes = 0;
  #lastBytes = 0;
  #due = false;
  #returnedAt = -Infinity;
  #cancel: CancelTimer | null = null;
  #running: Promise<void> | null = null;
  #closed = false;

  /**
   * @param backend Whose C library is asked.
   * @param clock Clock.
   */
  constructor(backend: Backend, clock: Clock) {
    this.#backend = backend;
    this.#clock = clock;
  }

  /** So many bytes have passed through libzmq: when there were many, and there are few again, memory goes back. */
  passed(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= muchBytes) this.#plan();
  }

  /** So many bytes that lay here for a while are free now. */
  freed(bytes: number): void {
    if (bytes < muchBytes / 4) return;
    this.#due = true;
    this.#plan();
  }

  /** Ends all of it; resolves when nothing runs on another thread any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    this.#cancel = null;
    await this.#running;
  }

  #plan(): void {
    if (this.#closed || this.#cancel !== null) return;
    this.#lastBytes = this.#bytes;
    this.#cancel = this.#clock.after(lookMs, this.#onTime);
  }

  readonly #onTime = (): void => {
    this.#cancel = null;
    const bytes = this.#bytes - this.#lastBytes;
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
    const over = this.#due || (this.#bytes >= muchBytes && bytes <= this.#peakBytes / partOfPeak);
    const now = this.#clock.now();
    if (!over || this.#running !== null || now - this.#returnedAt < pauseMs) return this.#plan();
    this.#returnedAt = now;
    this.#due = false;
    this.#bytes = this.#peakBytes = 0;
    const running = this.#backend.returnMemory();
    if (running === null) return void (this.#closed = true);
    this.#running = running.finally(() => this.#running = null);
  };
}
