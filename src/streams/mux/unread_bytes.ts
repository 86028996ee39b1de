import { hasShare } from "../../core/mod.ts";
import type { StreamCounts } from "./stats.ts";

/** Limits of unread bytes. */
export interface UnreadLimits {
  /** Bytes that the peer's writers send before they are read, if they keep to the rules. */
  readonly maxPeerBytes: number;
  /** Bytes of all peers' streams that wait for their readers. */
  readonly maxUnclaimedBytes: number;
}

/**
 * Bytes of one peer that arrived and that nobody has read. What waits for a reader to come, as any peer may let it, is
 * bounded for all peers together, and each has a share of that.
 */
export class UnreadBytes {
  readonly #limits: UnreadLimits;
  readonly #counts: StreamCounts;
  #bytes = 0;
  #unclaimed = 0;

  /** @param counts Counts the bytes of all peers. */
  constructor(limits: UnreadLimits, counts: StreamCounts) {
    this.#limits = limits;
    this.#counts = counts;
  }

  /** Whether so many more may come. @param unclaimed Whether their stream waits for its reader. */
  hasRoom(bytes: number, unclaimed: boolean): boolean {
    const { maxPeerBytes, maxUnclaimedBytes } = this.#limits;
    if (this.#bytes > 2 * maxPeerBytes) return false;
    return !unclaimed || hasShare(this.#unclaimed, this.#counts.unclaimedBytes, maxUnclaimedBytes, bytes);
  }

  /** Adds bytes; a negative number takes them away. */
  add(bytes: number, unclaimed: boolean): void {
    this.#bytes += bytes;
    this.#counts.unreadBytes += bytes;
    if (unclaimed) this.#addUnclaimed(bytes);
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
