import type { CancelTimer, Clock } from "../core/mod.ts";
import type { TcpConnections } from "../libzmq/mod.ts";
import type { Outlet, OutletHost } from "./outlet.ts";

/** What {@link Outlets} work with. */
export interface OutletsParts {
  /** Looks at connections by descriptor; null where the platform does not tell. */
  readonly connections: TcpConnections | null;
  /** What is told of what passes and becomes free, and what keeps connections until their other ends have read all. */
  readonly context: Pick<OutletHost, "memory" | "partings">;
  /** Clock. */
  readonly clock: Clock;
  /** What one connection may hold. */
  readonly maxPeerBytes: number;
  /** What all may hold together. */
  readonly maxInFlightBytes: number;
  /** A connection from which nothing leaves for so long is ended. */
  readonly slowPeerMs: number;
  /** Has links that wait for room try again. */
  retry(): void;
}

// How soon a link whose write was refused is looked at: at first, and at most, while nothing leaves.
const firstLookMs = 1;
const longestLookMs = 32;
// How often others are looked at that hold something.
const idleLookMs = 50;
// Of its share a connection may have a quarter in libzmq, where it can no longer be taken back; and of what is free for
// all an eighth, so that there is always some. With less than a batch or two nothing would flow.
const partOfShare = 4;
const partOfFree = 8;
const leastBytes = 64 * 1024;

/** What all connections hold, and a look now and then at those that hold something. */
export class Outlets implements OutletHost {
  /** Bytes that all hold together. Each may hold up to 64 KiB besides that nobody has looked at yet. */
  bytes = 0;
  readonly #parts: OutletsParts;
  readonly #watched = new Set<Outlet>();
  readonly #mostBytes: number;
  #cancel: CancelTimer | null = null;
  #dueAt = 0;
  #pauseMs = firstLookMs;
  #closed = false;

  /** @param parts What they work with. */
  constructor(parts: OutletsParts) {
    this.#parts = parts;
    this.#mostBytes = Math.max(leastBytes, Math.floor(parts.maxPeerBytes / partOfShare));
  }

  /** Looks at connections by descriptor; null where the platform does not tell. */
  get connections(): TcpConnections | null {
    return this.#parts.connections;
  }

  /** What one connection may have in libzmq now. */
  get limitBytes(): number {
    const part = (this.#parts.maxInFlightBytes - this.bytes) / partOfFree;
    return part >= this.#mostBytes ? this.#mostBytes : Math.max(leastBytes, part);
  }

  /** Is told what passes, and what becomes free. */
  get memory(): OutletHost["memory"] {
    return this.#parts.context.memory;
  }

  /** Keeps connections until their other ends have read everything. */
  get partings(): OutletHost["partings"] {
    return this.#parts.context.partings;
  }

  /** Looks at a connection from now on, until it holds nothing. */
  watch(outlet: Outlet): void {
    const now = this.#parts.clock.now();
    if (!this.#watched.has(outlet)) {
      this.#watched.add(outlet);
      outlet.stuckSince = now;
      outlet.pauseMs = firstLookMs;
      outlet.lookAt = now + idleLookMs;
    }
    if (outlet.refused) outlet.lookAt = Math.min(outlet.lookAt, now + outlet.pauseMs);
    this.#plan(now, outlet.lookAt);
  }

  /** A connection is over. */
  forget(outlet: Outlet): void {
    this.#watched.delete(outlet);
  }

  /** Ends all looking. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#cancel = null;
    this.#watched.clear();
  }

  #plan(now: number, at: number): void {
    if (this.#closed) return;
    if (this.#cancel !== null) {
      if (this.#dueAt <= at) return;
      this.#cancel();
    }
    this.#dueAt = at;
    this.#cancel = this.#parts.clock.after(at - now, this.#onTime);
  }

  readonly #onTime = (): void => {
    this.#cancel = null;
    const now = this.#parts.clock.now();
    let next = Infinity;
    let retry = false;
    for (const outlet of [...this.#watched]) {
      if (outlet.lookAt <= now) {
        retry ||= outlet.refused;
        this.#look(outlet, now);
      }
      if (this.#watched.has(outlet)) next = Math.min(next, outlet.lookAt);
    }
    if (next !== Infinity) this.#plan(now, next);
    // Who finds that there is still no room plans the next look.
    if (retry) this.#parts.retry();
  };

  #look(outlet: Outlet, now: number): void {
    outlet.look();
    if (outlet.moved()) {
      outlet.stuckSince = now;
      outlet.pauseMs = firstLookMs;
    } else {
      outlet.settle();
      outlet.pauseMs = Math.min(outlet.pauseMs * 2, longestLookMs);
    }
    outlet.refused = false;
    outlet.lookAt = now + idleLookMs;
    if (!outlet.laden) this.#watched.delete(outlet);
    else if (now - outlet.stuckSince >= this.#parts.slowPeerMs) {
      const { slowPeerMs } = this.#parts;
      outlet.end(`it has read nothing of what waits for it for ${slowPeerMs} ms (slowPeerMs)`);
    }
  }
}
