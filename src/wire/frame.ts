/**
 * The message type: the single byte of the type frame, first of the three frames of every message.
 *
 * | value | message | header frame | payload frame |
 * |---|---|---|---|
 * | 0 | request of any kind | {@link RequestHeader} | the caller's bytes |
 * | 1 | response | {@link ResponseHeader} | result, or UTF-8 error text |
 * | 2 | ack or nack | {@link AckHeader} | empty, or UTF-8 error text |
 * | 3 | event frame; Velo drops it; without the event flag it counts as an ack | {@link AckHeader} | opaque |
 * | 4 | a request that a draining peer returns | that request's header, verbatim | empty |
 * | 0x40 | batch, only to a peer with the feature `batch` | 5 bytes, see {@link BatchReader} | records |
 *
 * 0 to 4 are Velo's (0.9.0 and 0.21.0 alike); zeromesh's own types start at 0x40.
 *
 * @see ARCHITECTURE.md, "Wire"
 */
export const MessageType = {
  message: 0,
  response: 1,
  ack: 2,
  event: 3,
  shuttingDown: 4,
  batch: 0x40,
} as const;

/** One of the values of {@link MessageType}: an unsigned byte. */
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

/**
 * The reasons for which a frame is dropped, in a fixed order for tables of counters.
 *
 * - `frameCount`, `typeLength`, `typeUnknown`: the message is not three frames, its type frame is not one byte, or the
 *   type is unknown.
 * - `headerTruncated`: a header ends before the lengths inside it say.
 * - `schemaVersion`, `responseType`, `nameEmpty`, `nameEncoding`: request headers only.
 * - `headersTooLarge`, `headersEncoding`: the header map is over its limit, or not a MessagePack map of strings.
 * - `ackFlags`: an ack with undefined bits.
 * - `batchHeader`, `batchVersion`: the header frame of a batch is not 5 bytes, or of another version.
 * - `batchCount`, `batchTruncated`, `batchTrailing`: the records do not fill their frame exactly.
 * - `batchRecords`: it has more records than a batch may have.
 * - `batchType`, `batchNested`: a record of an unknown type, or a batch in a batch.
 * - `cancelLength`: a cancellation without a response id.
 */
export const dropReasons = [
  "frameCount",
  "typeLength",
  "typeUnknown",
  "headerTruncated",
  "schemaVersion",
  "responseType",
  "nameEmpty",
  "nameEncoding",
  "headersTooLarge",
  "headersEncoding",
  "ackFlags",
  "batchHeader",
  "batchVersion",
  "batchCount",
  "batchRecords",
  "batchTruncated",
  "batchTrailing",
  "batchType",
  "batchNested",
  "cancelLength",
] as const satisfies readonly string[];

/** Why a frame was dropped: one of {@link dropReasons}. */
export type DropReason = (typeof dropReasons)[number];

/** Whether a byte is a type that may stand alone or inside a batch (0 to 4). */
export function isPlainMessageType(type: number): type is 0 | 1 | 2 | 3 | 4 {
  return type <= 4 && type >= 0;
}
