import type { MuxStats } from "./mux/stats.ts";

/** Counters of anchors. */
export interface AnchorStats {
  /** Anchors that take senders. */
  readonly anchors: number;
  /** Senders of this instance that are attached to anchors, its own and others'. */
  readonly senders: number;
  /** Senders of others that were not attached. */
  readonly attachRefusals: number;
}

/** Counters of all streams of a messenger. */
export interface StreamStats extends MuxStats, AnchorStats {}
