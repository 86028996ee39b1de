import type { StreamEndReason } from "../byte_stream.ts";
import { type BatchRefusal, batchRefusals } from "../wire/batch.ts";

/**
 * Why a record, or a batch, of another instance had no effect, besides being malformed:
 *
 * - `staleEpoch`: the batch is of an epoch before the current one.
 * - `unknownSlot`, `generation`: no stream has the slot, or an earlier one had it.
 * - `duplicate`: the record came before.
 * - `windowExceeded`, `holdOverflow`, `bytesExceeded`: more than the stream's window, records too far ahead of the missing
 *   ones, or more than a peer may leave unread. They end the stream.
 * - `unclaimedLimit`: too many streams wait for their readers.
 * - `repliesRefused`: the sender would not have read the answer.
 * - `stranger`: the sender is unknown.
 */
export const recordDrops = [
  "staleEpoch",
  "unknownSlot",
  "generation",
  "duplicate",
  "windowExceeded",
  "holdOverflow",
  "bytesExceeded",
  "unclaimedLimit",
  "repliesRefused",
  "stranger",
] as const;

/** One of the reasons for which a batch or a record was dropped. */
export type StreamDrop = BatchRefusal | (typeof recordDrops)[number];

/** Counters of all streams of a messenger. */
export interface MuxStats {
  /** Streams open that this instance writes. */
  readonly writers: number;
  /** Streams open, or awaited, that this instance reads. */
  readonly readers: number;
  /** Streams that others have opened, and perhaps finished, and that wait for their reader. */
  readonly unclaimed: number;
  /** Streams opened by this instance. */
  readonly opened: number;
  /** Streams opened by others. */
  readonly accepted: number;
  /** Frames sent. */
  readonly itemsSent: number;
  /** Their bytes. */
  readonly bytesSent: number;
  /** Frames received. */
  readonly itemsReceived: number;
  /** Their bytes. */
  readonly bytesReceived: number;
  /** Bytes of received frames that nobody has taken. */
  readonly unreadBytes: number;
  /** Those of them whose stream waits for its reader. */
  readonly unclaimedBytes: number;
  /** Batches sent. */
  readonly batchesSent: number;
  /** Batches received. */
  readonly batchesReceived: number;
  /** Batches that are missing between received ones. */
  readonly batchGaps: number;
  /** Times that a writer had to wait for credit, or for room. */
  readonly creditWaits: number;
  /** Calls that were ended because their callers have dropped them without reading or closing them. */
  readonly forgotten: number;
  /** Ended streams, of both directions, by reason. */
  readonly ends: Readonly<Record<StreamEndReason, number>>;
  /** Dropped batches and records, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Counters in the making. */
export type StreamCounts = Writable<Omit<MuxStats, "ends" | "dropped">> & {
  readonly ends: Record<StreamEndReason, number>;
  readonly dropped: Record<StreamDrop, number>;
};

/** Counters at zero. */
export function streamCounts(): StreamCounts {
  const drops = [...batchRefusals, ...recordDrops].map((reason) => [reason, 0]);
  return {
    writers: 0,
    readers: 0,
    unclaimed: 0,
    opened: 0,
    accepted: 0,
    itemsSent: 0,
    bytesSent: 0,
    itemsReceived: 0,
    bytesReceived: 0,
    unreadBytes: 0,
    unclaimedBytes: 0,
    batchesSent: 0,
    batchesReceived: 0,
    batchGaps: 0,
    creditWaits: 0,
    forgotten: 0,
    ends: { finalized: 0, detached: 0, dropped: 0, cancelled: 0, peerLost: 0, failed: 0 },
    dropped: Object.fromEntries(drops) as Record<StreamDrop, number>,
  };
}
