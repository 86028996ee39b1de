/**
 * Streams of items between instances.
 *
 * @module
 */
export {
  type ByteReader,
  type ByteWriter,
  type FrameSpace,
  type ReaderEvents,
  type StreamEnd,
  type StreamEndReason,
  type StreamMux,
  type StreamOptions,
  type StreamWindow,
  type WriterEvents,
  writersAnchor,
} from "./byte_stream.ts";
export { type StreamLimits } from "./options.ts";
export { type StreamStats } from "./mux/stats.ts";
// Used by the messenger.
export {
  type AttachedStreams,
  type StreamsFeature,
  streamsFeature,
  type StreamsFeatureOptions,
} from "./feature.ts";
export { type ResolvedStreamLimits } from "./options.ts";
