import type { CancelTimer, Timed } from "../core/mod.ts";
import type { TcpConnections } from "../libzmq/mod.ts";
import type { Outlet, OutletHost } from "./outlet.ts";

/** The parts of {@link Outlets}. */
export interface OutletsParts extends Timed {
  /** Reads connections by descriptor; null if the platform cannot. */
  readonly connections: TcpConnections | null;
  /** Gets the bytes that pass and become free, and keeps connections until their other ends have read all. */
  readonly context: Pick<OutletHost, "memory" | "lingering">;
  /** The most bytes of one connection. */
  readonly maxPeerBytes: number;
  /** The most bytes of all connections. */
  readonly maxInFlightBytes: number;
  /** A connection without movement for this long is ended. */
  readonly slowPeerMs: number;
  /** Retries links that wait for room. */
  retry(): void;
}

// Time until the first look after a refused write, and the longest time while nothing moves.
const firstLookMs = 1;
const longestLookMs = 32;
// Time between looks at other connections that hold bytes.
const idleLookMs = 50;
// A connection may have a quarter of its share in libzmq, from where it cannot be taken back, and an eighth of the
// bytes that are free for all, so that some always remain. With less than a batch or two, messages would stall.
const partOfShare = 4;
const partOfFree = 8;
const leastBytes = 64 * 1024;

/** The outlets of all connections, with a periodic look at those that hold bytes. */
export class Outlets implements OutletHost {
  /** Total bytes. Each connection may hold 64 KiB more that no look has counted yet. */
  bytes = 0;
  readonly #parts: OutletsParts;
  readonly #watched = new Set<Outlet>();
  readonly #mostBytes: number;
  #cancel: CancelTimer | null = null;
  #dueAt = 0;
  #closed = false;

  constructor(parts: OutletsParts) {
    this.#parts = parts;
    this.#mostBytes = Math.max(leastBytes, Math.floor(parts.maxPeerBytes / partOfShare));
  }

  /** Reads connections by descriptor; null if the platform cannot. */
  get connections(): TcpConnections | null {
    return this.#parts.connections;
  }

  /** Bytes that one connection may have in libzmq now. */
  get limitBytes(): number {
    const part = (this.#parts.maxInFlightBytes - this.bytes) / partOfFree;
    return part >= this.#mostBytes ? this.#mostBytes : Math.max(leastBytes, part);
  }

  /** Gets the bytes that pass and those that become free. */
  get memory(): OutletHost["memory"] {
    return this.#parts.context.memory;
  }

  /** Keeps connections until their other ends have read all. */
  get lingering(): OutletHost["lingering"] {
    return this.#parts.context.lingering;
  }

  /** Observes a connection until it holds nothing. */
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

  /** Removes a closed connection. */
  forget(outlet: Outlet): void {
    this.#watched.delete(outlet);
  }

  /** Ends the looks. */
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
    // A link that still has no room schedules the next look.
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
