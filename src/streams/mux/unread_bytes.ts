import { hasShare } from "../../core/mod.ts";
import type { StreamCounts } from "./stats.ts";

// The share of the peer is told of differences from this size on, not of each item.
const leastTold = 64 * 1024;

/** Limits of unread bytes. */
export interface UnreadLimits {
  /** The bytes that one peer may occupy here. Writers that keep to the rules leave less. */
  readonly shareBytes: number;
  /** Bytes of all peers' streams that wait for their readers. */
  readonly maxUnclaimedBytes: number;
}

/**
 * Bytes of one peer that arrived and that nobody has read, which are part of its share of memory. What waits for a reader
 * to come, as any peer may let it, is bounded for all peers together, and each has a share of that.
 */
export class UnreadBytes {
  readonly #limits: UnreadLimits;
  readonly #counts: StreamCounts;
  readonly #tell: (more: number) => void;
  #bytes = 0;
  #told = 0;
  #unclaimed = 0;

  /**
   * @param counts Counts the bytes of all peers.
   * @param tell Tells the peer's share of differences, which may be negative.
   */
  constructor(limits: UnreadLimits, counts: StreamCounts, tell: (more: number) => void) {
    this.#limits = limits;
    this.#tell = tell;
    this.#counts = counts;
  }

  /** Whether so many more may come. @param unclaimed Whether their stream waits for its reader. */
  hasRoom(bytes: number, unclaimed: boolean): boolean {
    const { shareBytes, maxUnclaimedBytes } = this.#limits;
    if (this.#bytes > shareBytes) return false;
    return !unclaimed || hasShare(this.#unclaimed, this.#counts.unclaimedBytes, maxUnclaimedBytes, bytes);
  }

  /** Adds bytes; a negative number takes them away. */
  add(bytes: number, unclaimed: boolean): void {
    const now = this.#bytes += bytes;
    this.#counts.unreadBytes += bytes;
    if (unclaimed) this.#addUnclaimed(bytes);
    const more = now - this.#told;
    if (more > -leastTold && more < leastTold && (now > 0 || more === 0)) return;
    this.#told = now;
    this.#tell(more);
  }

  /** A reader has come for so many of them. */
  claim(bytes: number): void {
    this.#addUnclaimed(-bytes);
  }

  #addUnclaimed(bytes: number): void {
    this.#unclaimed += bytes;
    this.#counts.unclaimedBytes += bytes;
  }
}
