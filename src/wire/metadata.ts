import { headerOf, maxHeaderValueBytes } from "./headers.ts";
import { decodeUtf8 } from "./utf8.ts";

/** Header of a message's metadata: JSON of at most {@link maxHeaderValueBytes} bytes. */
export const metadataHeader = "_metadata";

/**
 * Header of feature `metadata`, instead of {@link metadataHeader}: the number of bytes of JSON before the payload, as a
 * decimal integer. They exceed the limit of a header map.
 */
export const metadataBytesHeader = "_metadata_bytes";

/** Most bytes of metadata. */
export const maxMetadataBytes = 65_536;

// A map with one pair: the key, and four digits.
const smallestMap = 22;

/** The number of bytes of metadata before the payload; 0 if absent or invalid. Never throws. */
export function metadataBytesOf(bytes: Uint8Array, start: number, end: number): number {
  // Most messages have only the header of their time to live, and return here.
  if (end - start < smallestMap) return 0;
  const text = headerOf(bytes, start, end, metadataBytesHeader);
  if (text === undefined || !/^[1-9][0-9]{3,4}$/.test(text)) return 0;
  const length = Number(text);
  return length > maxHeaderValueBytes && length <= maxMetadataBytes ? length : 0;
}

/** The text of the metadata before a payload; null when it is not UTF-8. */
export function metadataText(bytes: Uint8Array, start: number, length: number): string | null {
  return decodeUtf8(bytes, start, start + length);
}
