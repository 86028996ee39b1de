import { copyBytes } from "./bytes.ts";
import type { DropReason } from "./frame.ts";
import { maxHeadersBytes } from "./headers.ts";
import { readResponseId, type ResponseId, writeResponseId } from "./response_id.ts";

/** Response id, outcome and the length of the header map. */
const fixedBytes = 19;

/**
 * A response header, decoded in place.
 *
 * Layout, little-endian:
 *
 * | offset | bytes | content |
 * |---|---|---|
 * | 0 | 16 | {@link ResponseId}, echoed from the request |
 * | 16 | 1 | outcome: 0 is a result, anything else an error (1 is written) |
 * | 17 | 2 | length h of the header map, 0 to 16 384 |
 * | 19 | h | header map; a Rust responder echoes the request's |
 *
 * The payload frame is the result, or the error as UTF-8 text. Bytes after the map are ignored.
 *
 * @see ARCHITECTURE.md, "Wire"; Velo 0.9.0 and 0.21.0 use the same bytes
 */
export class ResponseHeader implements ResponseId {
  /** Low half of the requester's worker id. */
  id0 = 0;
  /** High half of the requester's worker id. */
  id1 = 0;
  /** Slot, and the lowest 16 bits of the generation. */
  id2 = 0;
  /** Upper 32 bits of the generation. */
  id3 = 0;
  /** Whether the payload is an error text. */
  failed = false;
  /** Offset of the header map in the decoded bytes. */
  headersStart = 0;
  /** Offset behind it; equal to `headersStart` without a map. */
  headersEnd = 0;
}

/**
 * Decodes the response header in `bytes[start..end)` into `out`. Never throws.
 *
 * @param bytes The header frame, or a buffer with it. Not retained.
 * @param view A view with the same offsets as `bytes`.
 * @param start Offset of the first byte.
 * @param end Offset behind the last byte.
 * @param out Written in place; unspecified when a reason is returned.
 * @returns `null`, or why the message is dropped.
 */
export function decodeResponse(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  out: ResponseHeader,
): DropReason | null {
  if (end - start < fixedBytes || end > bytes.length) return "headerTruncated";
  const headerBytes = view.getUint16(start + 17, true);
  if (headerBytes > maxHeadersBytes) return "headersTooLarge";
  const headersStart = start + fixedBytes;
  if (headersStart + headerBytes > end) return "headerTruncated";
  readResponseId(view, start, out);
  out.failed = bytes[start + 16] !== 0;
  out.headersStart = headersStart;
  out.headersEnd = headersStart + headerBytes;
  return null;
}

/**
 * Writes a response header at `at`; the layout is at {@link ResponseHeader}.
 *
 * @param into Has room for 19 bytes, and for the header map, from `at` on.
 * @param view A view with the same offsets as `into`.
 * @param at Offset of the first byte.
 * @param id The request's response id.
 * @param failed Whether the payload is an error text.
 * @param headers Encoded by {@link encodeHeaders}, or `null` for no map.
 * @returns The offset behind the last byte written.
 */
export function encodeResponse(
  into: Uint8Array,
  view: DataView,
  at: number,
  id: ResponseId,
  failed: boolean,
  headers: Uint8Array | null,
): number {
  writeResponseId(view, at, id);
  into[at + 16] = failed ? 1 : 0;
  if (headers === null) {
    view.setUint16(at + 17, 0, true);
    return at + fixedBytes;
  }
  view.setUint16(at + 17, headers.length, true);
  return copyBytes(into, at + fixedBytes, headers, headers.length);
}
