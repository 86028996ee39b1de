import { type DropReason, MessageType } from "./frame.ts";
import { readResponseId, type ResponseId, writeResponseId } from "./response_id.ts";

/** Bytes of an ack header. */
export const ackSize = 17;

const eventFlag = 0x01;
const failedFlag = 0x02;

/**
 * The header of an ack, a nack or an event frame, decoded in place.
 *
 * Layout, little-endian:
 *
 * | offset | bytes | content |
 * |---|---|---|
 * | 0 | 1 | flags: bit 0 event, bit 1 failed, the rest 0 |
 * | 1 | 16 | {@link ResponseId}, echoed from the request |
 *
 * The payload of a nack is the error as UTF-8 text. Bytes after the 17 are ignored. The flags decide, not whether the
 * type frame says `ack` or `event`.
 *
 * @see ARCHITECTURE.md, "Wire"; Velo 0.9.0 and 0.21.0 use the same bytes
 */
export class AckHeader implements ResponseId {
  /** Low half of the requester's worker id. */
  id0 = 0;
  /** High half of the requester's worker id. */
  id1 = 0;
  /** Slot, and the lowest 16 bits of the generation. */
  id2 = 0;
  /** Upper 32 bits of the generation. */
  id3 = 0;
  /** Whether this is a nack. */
  failed = false;
  /** Whether this is an event frame, which completes no call. No current version sends one. */
  completesNone = false;
}

/** Whether messages of a type have an {@link AckHeader}: an ack, a nack or an event frame. */
export function hasAckHeader(type: number): boolean {
  return type === MessageType.ack || type === MessageType.event;
}

/**
 * Decodes the ack header in `bytes[start..end)` into `out`. Never throws.
 *
 * @param bytes The header frame, or a buffer with it. Not retained.
 * @param view A view with the same offsets as `bytes`.
 * @param start Offset of the first byte.
 * @param end Offset behind the last byte.
 * @param out Written in place; unspecified when a reason is returned.
 * @returns `null`, or why the message is dropped.
 */
export function decodeAck(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  out: AckHeader,
): DropReason | null {
  if (end - start < ackSize || end > bytes.length) return "headerTruncated";
  const flags = bytes[start] as number;
  if (flags > (eventFlag | failedFlag)) return "ackFlags";
  readResponseId(view, start + 1, out);
  out.failed = (flags & failedFlag) !== 0;
  out.completesNone = (flags & eventFlag) !== 0;
  return null;
}

/**
 * Writes an ack (or nack) header at `at`; the layout is at {@link AckHeader}.
 *
 * @param into Has room for {@link ackSize} bytes from `at` on.
 * @param view A view with the same offsets as `into`.
 * @param at Offset of the first byte.
 * @param id The request's response id.
 * @param failed Whether this is a nack.
 * @returns The offset behind the last byte written.
 */
export function encodeAck(
  into: Uint8Array,
  view: DataView,
  at: number,
  id: ResponseId,
  failed: boolean,
): number {
  into[at] = failed ? failedFlag : 0;
  return writeResponseId(view, at + 1, id);
}
