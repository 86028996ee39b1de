import type { Session } from "../peers/peer.ts";

/** The answer of a call. */
export interface Outcome {
  /** The result's bytes, valid during the call; `keep` copies them. */
  readonly payload: Uint8Array;
  /** The bytes in memory of their own. */
  keep(): Uint8Array;
}

/** Converts an answer into the call's result, given its connection. */
export type Accept = (outcome: Outcome, session: Session | null) => unknown;
