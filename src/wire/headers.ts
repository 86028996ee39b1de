// Written by hand and not with msgpackr: this decoder gets bytes of untrusted peers, so it must be bounded, accept only
// a map of strings, and never throw. It is also on the path of every call with a deadline.
import { ZeromeshError } from "../core/mod.ts";
import { copyBytes } from "./bytes.ts";
import type { DropReason } from "./frame.ts";
import { MsgpackCursor } from "./msgpack_cursor.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** Most bytes of one header value. Senders enforce it, receivers do not, as in Velo. */
export const maxHeaderValueBytes = 1024;

/** Most bytes of a whole encoded header map. */
export const maxHeadersBytes = 16_384;

// Up to here a loop over ASCII is faster than the runtime's encoder, which on Deno takes 1.5 µs and new memory 0.8 µs.
const longestShort = 96;
const lent = new Uint8Array(new ArrayBuffer(maxHeadersBytes + 4 * longestShort));

/** Whether a header key is reserved for the library: it starts with `_`. */
export function isSystemHeader(key: string): boolean {
  return key.startsWith("_");
}

/**
 * Encodes a header map: a MessagePack map of strings, each length in its smallest form, keys in the order of the
 * object. No pairs give the single byte `80`.
 *
 * | part | bytes |
 * |---|---|
 * | map | `80`+n up to 15 pairs, then `de` and u16 |
 * | string | `a0`+n up to 31 bytes, `d9` and u8 up to 255, then `da` and u16 |
 *
 * Lengths are big-endian, as in all of MessagePack.
 *
 * @param headers Keys and values, all of them well-formed text.
 * @returns New bytes.
 * @throws {ZeromeshError} `HEADERS_TOO_LARGE` if a value exceeds {@link maxHeaderValueBytes} or the whole map
 * {@link maxHeadersBytes}.
 * @throws {TypeError} If a value is not a string, or a key or value holds a lone surrogate.
 */
export function encodeHeaders(headers: Readonly<Record<string, string>>): Uint8Array {
  return borrowHeaders(headers).slice();
}

/** The same in memory that the next call writes again. */
export function borrowHeaders(headers: Readonly<Record<string, string>>): Uint8Array {
  const keys = Object.keys(headers);
  let at = writeMapSize(keys.length);
  for (const key of keys) {
    const value: unknown = headers[key];
    if (typeof value !== "string") {
      throw new TypeError(
        `Cannot send header ${JSON.stringify(key)}: its value must be a string, not ${typeof value}`,
      );
    }
    const valueAt = writeShort(at, key);
    const end = valueAt < 0 ? -1 : writeShort(valueAt, value);
    at = end < 0 ? writePair(at, key, value, keys.length) : checked(end, key, keys.length);
  }
  return lent.subarray(0, at);
}

function writeMapSize(size: number): number {
  if (size <= 0x0f) {
    lent[0] = 0x80 | size;
    return 1;
  }
  lent[0] = 0xde;
  lent[1] = size >> 8;
  lent[2] = size & 0xff;
  return size <= 0xffff ? 3 : 5;
}

/** Writes a short text of ASCII. Returns the offset behind it, or −1 for another text. */
function writeShort(at: number, text: string): number {
  const { length } = text;
  if (length > longestShort) return -1;
  if (length > 31) lent[at++] = 0xd9;
  lent[at++] = length > 31 ? length : 0xa0 | length;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return -1;
    lent[at++] = code;
  }
  return at;
}

/** Writes a key and its value, whatever they are. Returns the offset behind them. */
function writePair(at: number, key: string, value: string, count: number): number {
  if (!key.isWellFormed() || !value.isWellFormed()) {
    throw new TypeError(`Cannot send header ${JSON.stringify(key)}: it holds a lone surrogate`);
  }
  const keyBytes = encodeUtf8(key);
  const valueBytes = encodeUtf8(value);
  const { length } = valueBytes;
  if (length > maxHeaderValueBytes) {
    throw new ZeromeshError(
      "HEADERS_TOO_LARGE",
      `Cannot send header ${
        JSON.stringify(key)
      }: its value has ${length} bytes, more than ${maxHeaderValueBytes}`,
    );
  }
  checked(at + stringSize(keyBytes.length) + stringSize(length), key, count);
  return writeString(lent, writeString(lent, at, keyBytes), valueBytes);
}

/** The offset behind a pair, if so many bytes are allowed. */
function checked(end: number, key: string, count: number): number {
  if (end <= maxHeadersBytes) return end;
  throw new ZeromeshError(
    "HEADERS_TOO_LARGE",
    `Cannot send ${count} headers: with ${
      JSON.stringify(key)
    } they have ${end} bytes, more than ${maxHeadersBytes}`,
  );
}

/**
 * Decodes the header map in `bytes[start..end)`. Never throws.
 *
 * Maps and strings of each width are accepted; the last value of a repeated key counts. An empty range means no
 * headers. No bytes may be left over. The sizes of single values are not checked, as in Velo.
 *
 * @returns An object without prototype, so that a key such as `__proto__` is an ordinary one; or why the message is
 * dropped.
 */
export function decodeHeaders(
  bytes: Uint8Array,
  start: number,
  end: number,
): Record<string, string> | DropReason {
  const headers: Record<string, string> = Object.create(null);
  if (end <= start) return headers;
  if (end - start > maxHeadersBytes) return "headersTooLarge";
  const cursor = new MsgpackCursor(bytes, start, end);
  const size = cursor.readMapSize();
  if (size < 0) return "headersEncoding";
  for (let i = 0; i < size; i++) {
    const keyStart = cursor.readString();
    if (keyStart < 0) return "headersEncoding";
    const key = decodeUtf8(bytes, keyStart, cursor.at);
    const valueStart = cursor.readString();
    if (valueStart < 0 || key === null) return "headersEncoding";
    const value = decodeUtf8(bytes, valueStart, cursor.at);
    if (value === null) return "headersEncoding";
    headers[key] = value;
  }
  return cursor.at === end ? headers : "headersEncoding";
}

/**
 * One value of the header map in `bytes[start..end)`, without decoding the others. Never throws.
 *
 * @param name ASCII.
 * @returns Undefined if it is absent, or the map is malformed. The last value of a repeated key counts.
 */
export function headerOf(bytes: Uint8Array, start: number, end: number, name: string): string | undefined {
  if (end <= start || end - start > maxHeadersBytes) return undefined;
  const cursor = new MsgpackCursor(bytes, start, end);
  let from = -1;
  let to = 0;
  for (let left = cursor.readMapSize(); left !== 0; left--) {
    const keyStart = left < 0 ? -1 : cursor.readString();
    const keyEnd = cursor.at;
    const valueStart = keyStart < 0 ? -1 : cursor.readString();
    if (valueStart < 0) return undefined;
    if (!isAscii(bytes, keyStart, keyEnd, name)) continue;
    from = valueStart;
    to = cursor.at;
  }
  if (from < 0 || cursor.at !== end) return undefined;
  return decodeUtf8(bytes, from, to) ?? undefined;
}

function isAscii(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Bytes of a MessagePack string of this many UTF-8 bytes, with its length. */
function stringSize(length: number): number {
  return length + (length <= 31 ? 1 : length <= 0xff ? 2 : length <= 0xffff ? 3 : 5);
}

/** Writes a MessagePack string of at most 65 535 bytes and returns the offset behind it. */
export function writeString(into: Uint8Array, at: number, text: Uint8Array): number {
  const length = text.length;
  if (length <= 31) into[at++] = 0xa0 | length;
  else if (length <= 0xff) {
    into[at++] = 0xd9;
    into[at++] = length;
  } else {
    into[at++] = 0xda;
    into[at++] = length >> 8;
    into[at++] = length & 0xff;
  }
  return copyBytes(into, at, text, length);
}
