import { MsgpackCursor } from "./msgpack_cursor.ts";

/**
 * Header of feature `deadline`: the milliseconds a call has left when it is sent, as decimal text.
 *
 * Relative, because the clocks of two hosts differ; the receiver counts from the message's arrival.
 */
export const ttlHeader = "_ttl";

const digit0 = 0x30;
/** `81 a4 "_ttl"`: a map of one pair, and its key. */
const mapOfTtl = Uint8Array.of(0x81, 0xa4, 0x5f, 0x74, 0x74, 0x6c);

/**
 * Milliseconds as the text of `_ttl`: whole, rounded up, never below 0.
 *
 * @throws {RangeError} If the value is not finite or above 2^53 - 1; a call without a deadline sends no `_ttl`.
 */
export function encodeTtl(ms: number): string {
  const whole = Math.max(0, Math.ceil(ms));
  if (!Number.isSafeInteger(whole)) {
    throw new RangeError(`Cannot send 'ttl' as it must be finite and below 2^53: current value is ${ms}`);
  }
  return whole.toString();
}

/**
 * A header map with only `_ttl`, as {@link encodeHeaders} would write it, but without objects and text: `81 a4
 * 5f74746c`, then `a0`+n and n digits.
 *
 * @returns New bytes.
 * @throws {RangeError} As {@link encodeTtl}.
 */
export function encodeTtlHeaders(ms: number): Uint8Array {
  const digits = encodeTtl(ms);
  const bytes = new Uint8Array(7 + digits.length);
  for (let i = 0; i < 6; i++) bytes[i] = mapOfTtl[i] as number;
  bytes[6] = 0xa0 | digits.length;
  for (let i = 0; i < digits.length; i++) bytes[7 + i] = digits.charCodeAt(i);
  return bytes;
}

/**
 * The `_ttl` in an encoded header map, without decoding the map. Never throws.
 *
 * @returns Milliseconds; -1 if absent or malformed. The last value of a repeated key counts.
 */
export function ttlOfHeaders(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < 8) return -1;
  if (startsWithTtl(bytes, start) && ((bytes[start + 6] as number) & 0xe0) === 0xa0) {
    const textEnd = start + 7 + ((bytes[start + 6] as number) & 0x1f);
    return textEnd === end ? digitsAt(bytes, start + 7, textEnd) : -1;
  }
  const cursor = new MsgpackCursor(bytes, start, end);
  const size = cursor.readMapSize();
  let ttl = -1;
  for (let i = 0; i < size; i++) {
    const keyStart = cursor.readString();
    const isTtl = keyStart >= 0 && cursor.at - keyStart === 4 && isTtlKey(bytes, keyStart);
    const valueStart = cursor.readString();
    if (keyStart < 0 || valueStart < 0) return -1;
    if (isTtl) ttl = digitsAt(bytes, valueStart, cursor.at);
  }
  return ttl;
}

function startsWithTtl(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === 0x81 && bytes[start + 1] === 0xa4 && isTtlKey(bytes, start + 2);
}

function isTtlKey(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0x5f && bytes[at + 1] === 0x74 && bytes[at + 2] === 0x74 && bytes[at + 3] === 0x6c;
}

function digitsAt(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length < 1 || length > 16 || (bytes[start] === digit0 && length > 1)) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = (bytes[i] as number) - digit0;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return Number.isSafeInteger(value) ? value : -1;
}
