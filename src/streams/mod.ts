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
