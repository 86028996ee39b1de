import { AnchorTable } from "./anchors/anchor_table.ts";
import { serveAnchors } from "./anchors/control_handlers.ts";
import { addStreams } from "./anchors/streams.ts";
import { option, streamKind } from "../core/mod.ts";
import type { AttachedFeature, MessengerFeature } from "../messenger/mod.ts";
import { streamContracts } from "./calls/kind.ts";
import { resolveStreamLimits, type StreamLimits, streamLimitTable } from "./options.ts";
import { streamMetrics } from "./stream_metrics.ts";
import { StreamPort } from "./stream_port.ts";
import type { StreamStats } from "./stream_stats.ts";

/** The option of a messenger about its streams. */
export interface StreamsFeatureOptions {
  /** Limits of streams. */
  streams?: StreamLimits | undefined;
}

/**
 * The streams of a messenger.
 *
 * @ignore
 */
export interface AttachedStreams extends AttachedFeature {
  /** Their counters; null before the first stream or anchor. */
  stats(): StreamStats | null;
}

/**
 * The type of {@link streamsFeature}.
 *
 * @ignore
 */
export type StreamsFeature = MessengerFeature<"streams", StreamsFeatureOptions, AttachedStreams>;

const noAnchors = { anchors: 0, senders: 0, attachRefusals: 0 };

const feature: StreamsFeature = {
  name: "streams",
  options: { streams: option.options(streamLimitTable) },
  metrics: streamMetrics,
  attach(port, options) {
    const limits = resolveStreamLimits(options.streams);
    let anchors: AnchorTable | null = null;
    let closed = false;
    const mux = new StreamPort(port, limits);
    // What ends with the instance is said by the streams.
    mux.beforeClose(() => {
      closed = true;
      anchors?.close();
    });
    const table = (): AnchorTable => {
      anchors ??= new AnchorTable(port, mux, limits.maxAnchors);
      if (closed) anchors.close();
      return anchors;
    };
    serveAnchors(port, table);
    addStreams(port, table);
    port.contractKind(streamKind, streamContracts(port, mux));
    return {
      stats: () => {
        if (anchors !== null) return { ...mux.counters(), ...anchors.stats() };
        return mux.used ? { ...mux.counters(), ...noAnchors } : null;
      },
    };
  },
};

/**
 * Streams as a feature of each messenger.
 *
 * @ignore
 */
export function streamsFeature(): StreamsFeature {
  return feature;
}
