import type { CancelTimer, Clock } from "../core/mod.ts";
import type { Backend } from "../../ffi/mod.ts";

// Less than this is not worth returning.
const muchBytes = 64 * 1024 * 1024;
// The peak of traffic is over when a second brings an eighth of it.
const lookMs = 1_000;
const partOfPeak = 8;
// A return blocks other allocations for tens of milliseconds in all. After this time another one follows each return: much
// is freed late, when payloads are collected.
const pauseMs = 5_000;

/**
 * Returns freed memory to the system after a peak. Otherwise the C library keeps it, in fragments between used blocks,
 * for the life of the process.
 */
export class MemoryReturn {
  readonly #backend: Backend;
  readonly #clock: Clock;
  #bytes = 0;
  #peakBytes = 0;
  #lastBytes = 0;
  #due = false;
  #second = false;
  #returnedAt = -Infinity;
  #cancel: CancelTimer | null = null;
  #running: Promise<void> | null = null;
  #closed = false;

  /** @param backend The backend whose C library is called. */
  constructor(backend: Backend, clock: Clock) {
    this.#backend = backend;
    this.#clock = clock;
  }

  /** Counts bytes that passed through libzmq: after many, when few follow, memory is returned. */
  passed(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= muchBytes) this.#plan();
  }

  /** Counts bytes that were held for a while and are free now. */
  freed(bytes: number): void {
    if (bytes < muchBytes / 4) return;
    this.#due = true;
    this.#plan();
  }

  /** Ends it; resolves when no call runs on another thread. */
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
    this.#due = this.#second = !this.#second;
    this.#bytes = this.#peakBytes = 0;
    const running = this.#backend.returnMemory();
    if (running === null) return void (this.#closed = true);
    this.#running = running.finally(() => this.#running = null);
    if (this.#second) this.#plan();
  };
}
