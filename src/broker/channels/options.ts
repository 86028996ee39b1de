import { option, type OptionTable, type Overflow, withDefaults } from "../../core/mod.ts";
import type { StreamWindow } from "../../streams/mod.ts";
import type { ChannelPattern } from "../contract.ts";

/** Limits of the messages that wait to be sent by one side of a channel. */
export interface ChannelSendLimits {
  /**
   * Messages that wait for credit: those of a pipeline, or those for each consumer of another pattern. As many senders may
   * wait for a place beside them. @default {1_024}
   */
  maxUnsent?: number | undefined;
  /** The same in bytes; one message may exceed them alone. @default {1_048_576} */
  maxUnsentBytes?: number | undefined;
  /**
   * What a message does that finds no place: it waits, fails with `QUEUE_FULL`, or takes the place of the oldest one, or is
   * dropped itself. A consumer is told where messages are missing. @default {"wait"; "dropOldest" with the pattern pubsub}
   */
  overflow?: Overflow | undefined;
}

/** Options of a producer's channel. */
export interface ProduceOptions extends ChannelSendLimits {
  /** Consumers that are connected at once; at the limit others are refused with `LIMIT_REACHED`. @default {16_384} */
  maxConsumers?: number | undefined;
  /** With the pattern `bidirectional`: what each consumer may send before it was read. */
  window?: ChannelWindow | undefined;
}

/** Options of a consumer's channel. */
export interface ConsumeOptions extends ChannelSendLimits {
  /** What the producer may send before it was read. */
  window?: ChannelWindow | undefined;
}

/** What may arrive before it was read. */
export interface ChannelWindow {
  /** Messages. @default {4_096} */
  items?: number | undefined;
  /** Their bytes; one message may exceed what is left of them. @default {4_194_304} */
  bytes?: number | undefined;
}

/** Options of a send. */
export interface ChannelSendOptions {
  /** Milliseconds that the message waits for a place. @default {no limit} */
  timeoutMs?: number | undefined;
  /** Takes the message back while it waits for a place. */
  signal?: AbortSignal | null | undefined;
  /** A producer of the pattern `bidirectional`: the presence of the one consumer that gets it. @default {all} */
  to?: number | undefined;
}

/** Options of the closing of a channel's handle. */
export interface ChannelCloseOptions {
  /** Milliseconds in which the messages that wait may still leave. @default {5_000} */
  timeoutMs?: number | undefined;
}

// With four times as much as other streams have, small messages are 1.4 times as fast, since neither side waits for the
// other one's credit.
const windowTable = {
  items: option.whole(1, 65_535).or(4_096),
  bytes: option.whole(1, 0x7fff_ffff).or(4 * 1024 * 1024),
} satisfies OptionTable<ChannelWindow>;

const limits = {
  maxUnsent: option.whole(1, 2 ** 30).or(1_024),
  maxUnsentBytes: option.whole(1, 2 ** 40).or(1024 * 1024),
  overflow: option.oneOf("wait", "fail", "dropOldest", "dropNewest"),
  window: option.options(windowTable),
};

/** The options of a producer's channel. */
export const produceOptionTable = {
  ...limits,
  maxConsumers: option.whole(1, 2 ** 24).or(16_384),
} satisfies OptionTable<ProduceOptions>;

/** The options of a consumer's channel. */
export const consumeOptionTable = limits satisfies OptionTable<ConsumeOptions>;

/** The options of a send. */
export const channelSendTable: OptionTable<ChannelSendOptions> = {
  timeoutMs: option.timeout,
  signal: option.signal,
  to: option.whole(1, Number.MAX_SAFE_INTEGER),
};

/** The options of closing. */
export const channelCloseTable = {
  timeoutMs: option.timeout.or(5_000),
} satisfies OptionTable<ChannelCloseOptions>;

/** The limits of what waits to be sent, resolved. */
export interface SendLimits {
  readonly maxUnsent: number;
  readonly maxUnsentBytes: number;
  readonly overflow: Overflow;
}

/** Fills in the limits of what waits. @param options Checked already. */
export function sendLimits(options: ChannelSendLimits, pattern: ChannelPattern): SendLimits {
  const { maxUnsent, maxUnsentBytes, overflow } = withDefaults(
    { maxUnsent: options.maxUnsent, maxUnsentBytes: options.maxUnsentBytes, overflow: options.overflow },
    limits,
  );
  return { maxUnsent, maxUnsentBytes, overflow: overflow ?? (pattern === "pubsub" ? "dropOldest" : "wait") };
}

/** The window of what arrives. @param given Checked already. */
export function windowOf(given: ChannelWindow = {}): StreamWindow {
  return withDefaults(given, windowTable);
}
