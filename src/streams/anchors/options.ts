import { type AnySchema, option, type OptionTable, schemaOption } from "../../core/mod.ts";
import type { WaitOptions } from "../../messenger/mod.ts";
import type { StreamHandle } from "../wire/handle.ts";
import type { StreamTicket } from "./ticket.ts";

/** Options of `streams(messenger).anchor()`. */
export interface AnchorOptions<
  Schema extends AnySchema | undefined = AnySchema | undefined,
  Senders extends "one" | "many" | undefined = "one" | "many" | undefined,
> {
  /** Schema of an item. Without it, items are not validated. */
  schema?: Schema;
  /** How many senders may be attached at a time: `"one"`, or `"many"` up to `maxSenders`. @default {"one"} */
  senders?: Senders;
  /** Most senders at a time, with `senders: "many"`. @default {1_024} */
  maxSenders?: number | undefined;
  /**
   * How long it lives while no sender is attached, in milliseconds.
   *
   * @default {120_000 with one sender, Infinity with many}
   */
  unattachedTimeoutMs?: number | undefined;
  /** The pause after which an idle sender shows that it lives. After three of them it counts as dropped. @default {5_000} */
  heartbeatMs?: number | undefined;
}

/** How long an anchor lives without a sender. Many senders come and go, so that their anchor waits for them. */
export const unattachedDefaultMs = { one: 120_000, many: Infinity } as const;

/** The options of an anchor. */
export const anchorOptionTable = {
  schema: schemaOption,
  senders: option.oneOf("one", "many").or("one"),
  maxSenders: option.whole(1, 65_536).or(1_024),
  unattachedTimeoutMs: option.duration,
  heartbeatMs: option.interval.or(5_000),
} satisfies OptionTable<AnchorOptions>;

/** Options of `anchor.ticket()`. */
export interface TicketOptions {
  /** How long the ticket waits for its sender, in milliseconds. Then the anchor ends with `TIMEOUT`. @default {180_000} */
  timeoutMs?: number | undefined;
}

/** The options of a ticket. */
export const ticketOptionTable = {
  timeoutMs: option.duration.or(180_000),
} satisfies OptionTable<TicketOptions>;

/** Options of `streams(messenger).attach()`. */
export interface AttachOptions<Schema extends AnySchema | undefined = AnySchema | undefined> {
  /** Schema of an item. Without it, items are not validated. */
  schema?: Schema;
  /**
   * The ticket that came with the handle. With it, and a connection to the reader, nothing is asked of the reader. If it is
   * void, the sender ends with `STREAM_FAILED` a round trip later.
   */
  ticket?: StreamTicket | undefined;
  /** Deadline of attaching, in milliseconds. @default {the messenger's timeoutMs, 30_000} */
  timeoutMs?: number | undefined;
  /** Gives up attaching; the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** The options of attaching. */
export const attachOptionTable: OptionTable<AttachOptions> = {
  schema: schemaOption,
  ticket: option.object,
  timeoutMs: option.timeout,
  signal: option.signal,
};

/** Options of a sender's `send`. */
export interface SendItemOptions {
  /** Time to wait for the reader's credit, in milliseconds. @default {Infinity} */
  timeoutMs?: number | undefined;
  /** Gives up the wait; the promise rejects with `signal.reason`, and the item is not sent. */
  signal?: AbortSignal | undefined;
}

/** The options of a sender's `send`. */
export const sendItemOptionTable = {
  timeoutMs: option.timeout.or(Infinity),
  signal: option.signal,
} satisfies OptionTable<SendItemOptions>;

/** An anchor to which somebody may attach later, as `streams(messenger).renew()` takes it. */
export interface HeldAnchor {
  /** Its handle, or its decimal text. */
  readonly handle: StreamHandle | string;
  /** The ticket that came with it. */
  readonly ticket?: StreamTicket | undefined;
}

/** The options of renewing. */
export const renewOptionTable: OptionTable<WaitOptions> = {
  timeoutMs: option.timeout,
  signal: option.signal,
};
