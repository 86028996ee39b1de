/**
 * Streams of items between instances.
 *
 * The reader makes an anchor, and gives its handle to a sender, which attaches to it. Programs of plain Velo do both, too.
 *
 * @example In one process
 * ```ts
 * import { Messenger } from "zeromesh";
 * import { streams } from "zeromesh/streams";
 * import assert from "node:assert/strict";
 *
 * await using messenger = await Messenger.create();
 * const words = streams(messenger).anchor();
 * const sender = await streams(messenger).attach(words.handle);
 * await sender.send("hello");
 * await sender.finalize();
 * for await (const word of words) assert.equal(word, "hello");
 * ```
 *
 * @module
 */
export type { Ending, ZeromeshError } from "../core/mod.ts";
export { Anchor } from "./anchors/anchor.ts";
export { type AnchorFrame } from "./anchors/frames.ts";
export {
  type AnchorOptions,
  type AttachOptions,
  type HeldAnchor,
  type SendItemOptions,
  type TicketOptions,
} from "./anchors/options.ts";
export { StreamSender } from "./anchors/sender.ts";
export { type ItemInput, type ItemOutput, Streams, streams } from "./anchors/streams.ts";
export { type StreamTicket } from "./anchors/ticket.ts";
export { type StreamHandle, streamHandle } from "./wire/handle.ts";
export { type StreamLimits } from "./options.ts";
export { type StreamEndReason } from "./byte_stream.ts";
export { type MuxStats } from "./mux/stats.ts";
export { type AnchorStats, type StreamStats } from "./stream_stats.ts";
// Used by the messenger.
export {
  type AttachedStreams,
  type StreamsFeature,
  streamsFeature,
  type StreamsFeatureOptions,
} from "./feature.ts";
export { type ResolvedStreamLimits } from "./options.ts";
// Used by actors and brokers, whose channels are streams.
export {
  type ByteReader,
  type ByteWriter,
  type FrameSpace,
  type ReaderEvents,
  type StreamEnd,
  type StreamMux,
  type StreamOptions,
  type StreamWindow,
  type WriterEvents,
} from "./byte_stream.ts";
export { type FrameSink, ItemCodec, type Kept } from "./calls/item_codec.ts";
export { anchorsAt } from "./anchors/streams.ts";
export { workerOfHandle } from "./wire/handle.ts";
export { type StreamPort, streamsAt } from "./stream_port.ts";
export { afterTurn, atOnce, type TurnShare, turnShareOf } from "./turn_share.ts";
export { terminalFrames, transportErrorFrame } from "./wire/frame.ts";
