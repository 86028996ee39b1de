import type { CancelTimer, Timed } from "../core/mod.ts";
import type { TcpConnections } from "../libzmq/mod.ts";
import type { OutboundBytes, OutboundBytesHost } from "./outbound_bytes.ts";

/** The parts of {@link OutboundBudget}. */
export interface OutboundBudgetParts extends Timed {
  /** Reads connections by descriptor; null if the platform cannot. */
  readonly connections: TcpConnections | null;
  /** Gets the bytes that pass and become free, and keeps connections until their other ends have read all. */
  readonly context: Pick<OutboundBytesHost, "memory" | "lingering">;
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

/** The outbound bytes of all connections, with a periodic look at those that hold bytes. */
export class OutboundBudget implements OutboundBytesHost {
  /** Total bytes. Each connection may hold 64 KiB more that no look has counted yet. */
  bytes = 0;
  readonly connections: OutboundBytesHost["connections"];
  readonly memory: OutboundBytesHost["memory"];
  readonly lingering: OutboundBytesHost["lingering"];
  readonly #parts: OutboundBudgetParts;
  readonly #watched = new Set<OutboundBytes>();
  readonly #mostBytes: number;
  #cancel: CancelTimer | null = null;
  #dueAt = 0;
  #closed = false;

  constructor(parts: OutboundBudgetParts) {
    this.#parts = parts;
    this.connections = parts.connections;
    this.memory = parts.context.memory;
    this.lingering = parts.context.lingering;
    this.#mostBytes = Math.max(leastBytes, Math.floor(parts.maxPeerBytes / partOfShare));
  }

  /** Bytes that one connection may have in libzmq now. */
  get limitBytes(): number {
    const part = (this.#parts.maxInFlightBytes - this.bytes) / partOfFree;
    return part >= this.#mostBytes ? this.#mostBytes : Math.max(leastBytes, part);
  }

  /** Observes a connection until it holds nothing. */
  watch(outbound: OutboundBytes): void {
    const now = this.#parts.clock.now();
    if (!this.#watched.has(outbound)) {
      this.#watched.add(outbound);
      outbound.stuckSince = now;
      outbound.pauseMs = firstLookMs;
      outbound.lookAt = now + idleLookMs;
    }
    if (outbound.refused) outbound.lookAt = Math.min(outbound.lookAt, now + outbound.pauseMs);
    this.#plan(now, outbound.lookAt);
  }

  /** Removes a closed connection. */
  forget(outbound: OutboundBytes): void {
    this.#watched.delete(outbound);
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
    for (const outbound of [...this.#watched]) {
      if (outbound.lookAt <= now) {
        retry ||= outbound.refused;
        this.#look(outbound, now);
      }
      if (this.#watched.has(outbound)) next = Math.min(next, outbound.lookAt);
    }
    if (next !== Infinity) this.#plan(now, next);
    // A link that still has no room schedules the next look.
    if (retry) this.#parts.retry();
  };

  #look(outbound: OutboundBytes, now: number): void {
    outbound.look();
    if (outbound.moved()) {
      outbound.stuckSince = now;
      outbound.pauseMs = firstLookMs;
    } else {
      outbound.settle();
      outbound.pauseMs = Math.min(outbound.pauseMs * 2, longestLookMs);
    }
    outbound.refused = false;
    outbound.lookAt = now + idleLookMs;
    if (!outbound.laden) this.#watched.delete(outbound);
    else if (now - outbound.stuckSince >= this.#parts.slowPeerMs) {
      const { slowPeerMs } = this.#parts;
      outbound.end(`it has read nothing of what waits for it for ${slowPeerMs} ms (slowPeerMs)`);
    }
  }
}
