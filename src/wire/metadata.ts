import { decodeHeaders, maxHeaderValueBytes } from "./headers.ts";
import { decodeUtf8 } from "./utf8.ts";

/** Header of a message's metadata: JSON of at most {@link maxHeaderValueBytes} bytes. */
export const metadataHeader = "_metadata";

/**
 * Header of feature `metadata`, instead of {@link metadataHeader}: how many bytes of JSON stand in front of the payload, as a
 * decimal integer. A header map has no room for them.
 */
export const metadataBytesHeader = "_metadata_bytes";

/** Most bytes of metadata. */
export const maxMetadataBytes = 65_536;

// A map of one, the key, and four digits.
const smallestMap = 22;

/**
 * How many bytes of metadata a message's headers say stand in front of its payload; 0 for none, and for a length that cannot
 * be one. Never throws.
 */
export function metadataBytesOf(bytes: Uint8Array, start: number, end: number): number {
  // Most messages have no header but their time to live, and pay nothing.
  if (end - start < smallestMap) return 0;
  const headers = decodeHeaders(bytes, start, end);
  const text = typeof headers === "object" ? headers[metadataBytesHeader] : undefined;
  if (text === undefined || !/^[1-9][0-9]{3,4}$/.test(text)) return 0;
  const length = Number(text);
  return length > maxHeaderValueBytes && length <= maxMetadataBytes ? length : 0;
}

/** The text of metadata in front of a payload; null when it is no UTF-8. */
export function metadataText(bytes: Uint8Array, start: number, length: number): string | null {
  return decodeUtf8(bytes, start, start + length);
}
