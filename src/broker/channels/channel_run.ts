import type { DroppedEntries, Ending, SubscribeOptions, ZeromeshError } from "../../core/mod.ts";
import type { ChannelContract } from "../contract.ts";
import type { MessageSource } from "./message_source.ts";
import type { ChannelNotice, ConnectedConsumer } from "./notices.ts";
import type { ChannelCloseOptions, ChannelSendOptions } from "./options.ts";

/** The side of a channel. */
export type ChannelRole = "producer" | "consumer";

/** Counters of a handle. */
export interface ChannelStats {
  /** Messages that `send` took. */
  readonly sent: number;
  /** Messages that were read. */
  readonly received: number;
  /** Messages that wait for credit. */
  readonly queued: number;
  /** Senders that wait for a place, or for their message's schema. */
  readonly waiting: number;
  /** Messages that were dropped at a limit or for want of a consumer, once for each consumer that did not get one. */
  readonly dropped: number;
  /** Messages that have arrived and were not read. */
  readonly unread: number;
  /** Messages of the other side that are missing, as far as their number is known. */
  readonly gaps: number;
  /** Messages of the other side that were invalid. */
  readonly invalid: number;
  /** Consumers that take messages. */
  readonly consumers: number;
  /** The most messages that were on their way to a side that was lost, and may not have been read. */
  readonly unconfirmed: number;
  /** A channel of plain data: frames that were dropped, by what was wrong with them. */
  readonly frames?: Readonly<Record<string, number>> | undefined;
}

/** What the closing of a handle has left behind. */
export interface ClosedChannel {
  /** Messages that waited when the time was up, and are lost. */
  readonly lost: number;
}

/** What is behind a handle. */
export interface ChannelRun {
  readonly role: ChannelRole;
  readonly contract: ChannelContract;
  /** The shared memory that the channel offers. */
  readonly sharedMemory: string | null;
  readonly isValid: boolean;
  /** What is read; null where nothing arrives. */
  readonly source: MessageSource | null;
  /** Resolves when it has ended, and never rejects. */
  readonly closed: Promise<Ending>;
  send(message: unknown, options: ChannelSendOptions | null | undefined): Promise<void>;
  notices(options: SubscribeOptions | undefined): AsyncIterableIterator<ChannelNotice | DroppedEntries>;
  consumers(): ConnectedConsumer[];
  stats(): ChannelStats;
  close(options: ChannelCloseOptions): Promise<ClosedChannel>;
  /** Ends it at once, and tells nobody beyond the other side. */
  invalidate(reason: string, error?: ZeromeshError): void;
  /** The channel closes, as the broker says. */
  closing(reason: string): void;
}
