import { viewOf } from "./bytes.ts";
import type { DropReason } from "./frame.ts";
import { readResponseId, type ResponseId, responseIdBytes, writeResponseId } from "./response_id.ts";

/**
 * Handler name of feature `cancel`: a fire-and-forget system message whose payload is the 16 bytes of the
 * {@link ResponseId} of a call that its caller has given up. Neither it nor the call is answered.
 */
export const cancelHandler = "_cancel";

/** The payload of a cancellation: the 16 bytes of the response id, words little-endian. */
export function encodeCancel(id: ResponseId): Uint8Array {
  const bytes = new Uint8Array(responseIdBytes);
  writeResponseId(viewOf(bytes), 0, id);
  return bytes;
}

/**
 * Decodes the payload of a cancellation into `out`. Never throws.
 *
 * The receiver must still check that the id belongs to the sender of this message.
 *
 * @returns `null`, or `"cancelLength"` if the range is not exactly 16 bytes.
 */
export function decodeCancel(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: ResponseId,
): DropReason | null {
  if (end - start !== responseIdBytes || end > bytes.length) return "cancelLength";
  readResponseId(viewOf(bytes), start, out);
  return null;
}
