import type { ErrorCode } from "../core/mod.ts";
import type { Backend, Region } from "../libzmq/mod.ts";
import type { DropCounters } from "./drops.ts";
import type { OutboundBudget } from "./outbound_budget.ts";

/** Why a connection ended. */
export interface LinkLoss {
  /** The code for waiters on the connection. */
  readonly code: ErrorCode;
  /** The reason, for the message of that error. */
  readonly reason: string;
}

/**
 * State of a link. `connecting`: messages are queued, only `sendFirst` sends. `open`: all messages are sent. `closed`:
 * none is.
 */
export type LinkState = "connecting" | "open" | "closed";

/** The result of `Link.send`. */
export const SendOutcome = {
  /** libzmq has it, or it leaves with this turn's batch. */
  sent: 0,
  /** It is in the link's bounded queue. */
  queued: 1,
  /** The queue is full; the message was not accepted. */
  full: 2,
  /** The link is closed; the message was not accepted. */
  closed: 3,
} as const;
/** A value of {@link SendOutcome}. */
export type SendOutcome = (typeof SendOutcome)[keyof typeof SendOutcome];

/** The parts that all links of a transport share. */
export interface LinkShared {
  /** libzmq. */
  readonly backend: Backend;
  /** Region of the next message's header. */
  readonly header: Region;
  /** Byte n is n: the source of type frames. */
  readonly types: Region;
  /** Counts drops. */
  readonly drops: DropCounters;
  /** Limit of messages in one link's queue. */
  readonly maxQueuedMessages: number;
  /** Limit of bytes in one link's queue. */
  readonly maxQueuedBytes: number;
  /** Limit of the bytes that one peer takes up; a link with more answers waiting is closed. */
  readonly maxPeerBytes: number;
  /** Bytes that peers have not taken; null without a bound. */
  readonly outboundBudget: OutboundBudget | null;
  /** Counters. */
  readonly counters: { sent: number; received: number; blocked: number };
}
