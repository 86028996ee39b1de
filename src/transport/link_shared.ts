import type { ErrorCode } from "../core/mod.ts";
import type { Backend, Region } from "../libzmq/mod.ts";
import type { DropCounters } from "./drops.ts";
import type { Outlets } from "./outlets.ts";

/** Why a connection ended. */
export interface LinkLoss {
  /** The code that whatever waited on the connection ends with. */
  readonly code: ErrorCode;
  /** What happened, for the message of that error. */
  readonly reason: string;
}

/**
 * Where a link is in its life. `connecting`: messages wait in the queue, only `sendFirst` leaves.
 * `open`: everything leaves. `closed`: nothing does.
 */
export type LinkState = "connecting" | "open" | "closed";

/** What became of a message given to `Link.send`. */
export const SendOutcome = {
  /** libzmq has it, or it leaves with this turn's batch. */
  sent: 0,
  /** It waits in the link's bounded queue. */
  queued: 1,
  /** The queue is full; nothing was taken. */
  full: 2,
  /** The link is closed; nothing was taken. */
  closed: 3,
} as const;
/** A value of {@link SendOutcome}. */
export type SendOutcome = (typeof SendOutcome)[keyof typeof SendOutcome];

/** What all links of a transport share. */
export interface LinkShared {
  /** libzmq. */
  readonly backend: Backend;
  /** Where the header of the next message lies. */
  readonly header: Region;
  /** Byte n is n: where type frames come from. */
  readonly types: Region;
  /** Counts drops. */
  readonly drops: DropCounters;
  /** Limit of messages in one link's queue. */
  readonly maxQueuedMessages: number;
  /** Limit of bytes in one link's queue. */
  readonly maxQueuedBytes: number;
  /** What links hold of messages that their peers have not taken; null where nobody bounds that. */
  readonly outlets: Outlets | null;
  /** Counters. */
  readonly counters: { sent: number; received: number; blocked: number };
}
