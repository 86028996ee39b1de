import {
  type Clock,
  type Filled,
  type Logger,
  type Meter,
  option,
  type OptionTable,
  withDefaults,
} from "../../core/mod.ts";
import type { AskOptions, TellOptions } from "../references/actor_ref.ts";
import type { ActorOpenOptions } from "../references/actor_channel.ts";
import { type MailboxOptions, mailboxOptionTable } from "./spawn_options.ts";

/** The options of an actor system. */
export interface ActorSystemOptions {
  /** Actors at a time; at the limit `spawn` fails with `LIMIT_REACHED`. @default {1_048_576} */
  maxActors?: number | undefined;
  /** The mailbox of actors whose `spawn` names none. */
  mailbox?: MailboxOptions | undefined;
  /** How long a tell waits for room in a mailbox, in milliseconds. @default {30_000} */
  tellTimeoutMs?: number | undefined;
  /** Deadline of an ask, in milliseconds. @default {30_000} */
  askTimeoutMs?: number | undefined;
  /** How long a stopping actor's handler may go on, in milliseconds. @default {5_000} */
  stopMs?: number | undefined;
  /**
   * Handlers that wait for each other's answers, each for the next one's; at the limit an ask or an open fails with
   * `LIMIT_REACHED`. A message to another instance carries at most 64. @default {1_024}
   */
  maxAskChain?: number | undefined;
  /** Deferred replies of one actor; at the limit `ctx.defer` throws `LIMIT_REACHED`. @default {65_536} */
  maxDeferred?: number | undefined;
  /** Timers of one actor; at the limit `ctx.after` and `ctx.every` throw `LIMIT_REACHED`. @default {16_384} */
  maxTimers?: number | undefined;
  /** Channels of one actor, those included that wait for `accept`; at the limit `open` fails with `LIMIT_REACHED`. @default {16_384} */
  maxChannels?: number | undefined;
  /** Channels of one instance to actors of this system; at the limit `open` fails with `LIMIT_REACHED`. @default {8_192} */
  maxPeerChannels?: number | undefined;
  /** Channels of one actor that wait for `accept`; at the limit `open` fails with `LIMIT_REACHED`. @default {4_096} */
  maxPendingOpens?: number | undefined;
  /**
   * Items that wait on each side of a channel inside this process. A channel to another instance has the window of the
   * messenger's streams. @default {1_024}
   */
  channelWindowItems?: number | undefined;
  /** Items of one side of a channel that wait for room; at the limit `send` fails with `QUEUE_FULL`. @default {1_024} */
  maxUnsent?: number | undefined;
  /** The same in bytes, for a channel to another instance; one item may exceed them. @default {1_048_576} */
  maxUnsentBytes?: number | undefined;
  /**
   * How long items that wait for room hold up the closing of a channel, and then how long its confirmation by the other
   * side is awaited, in milliseconds; the channel ends then without them. @default {5_000}
   */
  channelCloseMs?: number | undefined;
  /** Updates and rollbacks of one actor that wait for an earlier one; at the limit they fail with `LIMIT_REACHED`. @default {1_024} */
  maxUpdates?: number | undefined;
  /** Children of one actor; at the limit `ctx.spawn` fails with `LIMIT_REACHED`. @default {65_536} */
  maxChildren?: number | undefined;
  /**
   * Watches of one actor, of the code outside actors, and of one other instance; at the limit `watch` throws
   * `LIMIT_REACHED`, and the other instance's is told `refused` with that error. @default {65_536}
   */
  maxWatches?: number | undefined;
  /** Logger. @default {the messenger's, or silent} */
  logger?: Logger | undefined;
  /** Meter of the system's counters, until it is closed. @default {none} */
  meter?: Meter | undefined;
  /** Clock. @default {the messenger's, or the system's clock} */
  clock?: Clock | undefined;
}

/** The options of an actor system. */
export const systemOptionTable = {
  maxActors: option.whole(1, 2 ** 24).or(1_048_576),
  mailbox: option.options(mailboxOptionTable),
  tellTimeoutMs: option.duration.or(30_000),
  askTimeoutMs: option.duration.or(30_000),
  stopMs: option.duration.or(5_000),
  maxAskChain: option.whole(1, 65_536).or(1_024),
  maxDeferred: option.whole(1, 2 ** 24).or(65_536),
  maxTimers: option.whole(1, 2 ** 24).or(16_384),
  maxChannels: option.whole(1, 2 ** 24).or(16_384),
  maxPeerChannels: option.whole(1, 2 ** 24).or(8_192),
  maxPendingOpens: option.whole(1, 2 ** 24).or(4_096),
  channelWindowItems: option.whole(1, 2 ** 24).or(1_024),
  maxUnsent: option.whole(0, 2 ** 24).or(1_024),
  maxUnsentBytes: option.whole(0, 2 ** 31).or(1024 * 1024),
  channelCloseMs: option.duration.or(5_000),
  maxUpdates: option.whole(0, 2 ** 24).or(1_024),
  maxChildren: option.whole(0, 2 ** 24).or(65_536),
  maxWatches: option.whole(0, 2 ** 24).or(65_536),
  logger: option.logger,
  meter: option.meter,
  clock: option.clock,
} satisfies OptionTable<ActorSystemOptions>;

/** The options of an actor system with their defaults. */
export interface ResolvedSystemOptions
  extends
    Omit<Filled<ActorSystemOptions, typeof systemOptionTable>, "mailbox" | "logger" | "meter" | "clock"> {
  readonly mailbox: Filled<MailboxOptions, typeof mailboxOptionTable>;
}

/** The limits of a side of a channel. */
export type ChannelLimits = Pick<ResolvedSystemOptions, "maxUnsent" | "maxUnsentBytes" | "channelCloseMs">;

/** The defaults, which hold for messengers without an actor system. */
export const systemDefaults: ResolvedSystemOptions = resolveSystemOptions({});

/** Fills in the defaults. */
export function resolveSystemOptions(options: ActorSystemOptions): ResolvedSystemOptions {
  const filled = withDefaults(options, systemOptionTable);
  return { ...filled, mailbox: withDefaults(options.mailbox ?? {}, mailboxOptionTable) };
}

/** The options of stopping an actor. */
export interface StopOptions {
  /** How long its handler may go on, in milliseconds. @default {the system's stopMs} */
  timeoutMs?: number | undefined;
}

/** The options of stopping. */
export const stopOptionTable: OptionTable<StopOptions> = { timeoutMs: option.duration };

/** The options of closing a system. */
export interface CloseSystemOptions {
  /** Time for the actors to stop, in milliseconds; what is left is terminated. @default {5_000} */
  timeoutMs?: number | undefined;
}

/** The options of closing. */
export const closeSystemOptionTable = {
  timeoutMs: option.duration.or(5_000),
} satisfies OptionTable<CloseSystemOptions>;

const sendOptionTable = { headers: option.object, timeoutMs: option.timeout, signal: option.signal };

/** The options of a tell. */
export const tellOptionTable: OptionTable<TellOptions> = sendOptionTable;
/** The options of an ask. */
export const askOptionTable: OptionTable<AskOptions> = sendOptionTable;
/** The options of opening a channel. */
export const openOptionTable: OptionTable<ActorOpenOptions> = {
  ...sendOptionTable,
  idleTimeoutMs: option.duration,
  message: option.function,
  end: option.function,
  close: option.function,
};
