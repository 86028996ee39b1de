import { numbersOf, type StatMetric } from "../core/mod.ts";
import type { StreamStats } from "./stream_stats.ts";

/** The metrics of a messenger's streams. */
export const streamMetrics: readonly StatMetric<StreamStats | null>[] = [
  ...numbersOf((stats: StreamStats | null) => stats, "streams_", {
    writers: ["gauge", "streams", "Open streams that this instance writes."],
    readers: ["gauge", "streams", "Streams, open or awaited, that this instance reads."],
    unclaimed: ["gauge", "streams", "Streams of others that wait for their handler."],
    opened: ["counter", "streams", "Streams opened by this instance."],
    accepted: ["counter", "streams", "Streams opened by others."],
    itemsSent: ["counter", "items", "Items sent."],
    bytesSent: ["counter", "bytes", "Their bytes.", "sent_bytes"],
    itemsReceived: ["counter", "items", "Items received."],
    bytesReceived: ["counter", "bytes", "Their bytes.", "received_bytes"],
    unreadBytes: ["gauge", "bytes", "Bytes of received items that nobody has taken."],
    unclaimedBytes: ["gauge", "bytes", "Those of them whose stream waits for its handler."],
    batchesSent: ["counter", "batches", "Batches of items sent."],
    batchesReceived: ["counter", "batches", "Batches of items received."],
    batchGaps: ["counter", "batches", "Batches missing between received ones."],
    creditWaits: ["counter", "waits", "Times that a writer had to wait for credit or room."],
    forgotten: [
      "counter",
      "calls",
      "Calls ended because their callers dropped them unread.",
      "forgotten_calls",
    ],
    anchors: ["gauge", "anchors", "Anchors that take senders."],
    senders: ["gauge", "senders", "Senders of this instance that are attached to anchors."],
    attachRefusals: ["counter", "senders", "Senders of others that were not attached.", "attach_refusals"],
    ends: ["counter", "streams", "Ended streams, by reason.", "ended", "reason"],
    dropped: [
      "counter",
      "records",
      "Dropped batches and records of streams, by reason.",
      "dropped",
      "reason",
    ],
  }),
];
