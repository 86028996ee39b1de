import { type Blake2b } from "./blake2b.ts";

/** `PLHQ`, the first field of a data frame. */
export const dataMagic = 0x51484c50;

const tagBytes = 8;
const checksumBytes = 32;
// fixarray 5, uint 32, bin 8 with the tag, uint 64.
const headBytes = 1 + 5 + 2 + tagBytes + 9;
const tailBytes = 2 + checksumBytes;
const array5 = 0x95;
const bin8 = 0xc4;
const uint8 = 0xcc;
const uint32 = 0xce;
const uint64 = 0xcf;

/** Why a data frame is dropped. */
export type DataProblem = "malformed" | "badMagic" | "tagMismatch" | "badChecksum";

/** What a data frame carries. */
export interface DataFrame {
  /** The number of the message: each producer counts its own from 1 on. */
  readonly sequence: number;
  /** The message, in MessagePack. */
  readonly payload: Uint8Array;
}

/** The schema of a channel in a data frame: the first 8 bytes of its hash; zeros without one. */
export function schemaTag(hash: string | null): Uint8Array {
  return hash === null ? new Uint8Array(tagBytes) : Uint8Array.fromHex(hash.slice(0, 2 * tagBytes));
}

/**
 * Writes a data frame: a MessagePack array of `PLHQ` (uint 32), the schema's tag (bin 8), the sequence number (uint 64), the
 * message, and a checksum (bin 8 of 32 bytes): BLAKE2b-256 of the bytes of the message.
 */
export function encodeDataFrame(
  tag: Uint8Array,
  sequence: number,
  payload: Uint8Array,
  blake2b: Blake2b,
): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(headBytes + payload.length + tailBytes);
  const view = new DataView(frame.buffer);
  frame[0] = array5;
  frame[1] = uint32;
  view.setUint32(2, dataMagic);
  frame[6] = bin8;
  frame[7] = tagBytes;
  frame.set(tag, 8);
  frame[16] = uint64;
  view.setUint32(17, Math.floor(sequence / 2 ** 32));
  view.setUint32(21, sequence >>> 0);
  frame.set(payload, headBytes);
  const tail = headBytes + payload.length;
  frame[tail] = bin8;
  frame[tail + 1] = checksumBytes;
  frame.set(blake2b(payload), tail + 2);
  return frame;
}

/** Whether {@link decodeDataFrame} has refused a frame. */
export function isDataProblem(frame: DataFrame | DataProblem): frame is DataProblem {
  return typeof frame === "string";
}

/**
 * Reads a data frame; it never throws. The payload is a part of the given bytes, and not decoded.
 *
 * Programs write integers in the shortest form or in the full one, and both are read. A checksum of zeros was not made, and a
 * tag of zeros, on either side, stands for no schema: neither is compared.
 */
export function decodeDataFrame(
  bytes: Uint8Array,
  tag: Uint8Array,
  blake2b: Blake2b,
): DataFrame | DataProblem {
  if (bytes.length < 1 + 5 + 2 + tagBytes + 1 + 1 + tailBytes || bytes[0] !== array5) return "malformed";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes[1] !== uint32 || view.getUint32(2) !== dataMagic) return "badMagic";
  if (bytes[6] !== bin8 || bytes[7] !== tagBytes) return "malformed";
  const tail = bytes.length - tailBytes;
  const sequence = unsignedAt(view, 16, tail);
  if (sequence === null || sequence.end >= tail) return "malformed";
  if (bytes[tail] !== bin8 || bytes[tail + 1] !== checksumBytes) return "malformed";
  if (!same(bytes, 8, tag) && !isZero(tag) && !isZero(bytes.subarray(8, 16))) return "tagMismatch";
  const payload = bytes.subarray(sequence.end, tail);
  const checksum = bytes.subarray(tail + 2);
  if (!isZero(checksum) && !same(checksum, 0, blake2b(payload))) return "badChecksum";
  return { sequence: sequence.value, payload };
}

/** An unsigned integer of MessagePack, up to 2^53, and where it ends. */
function unsignedAt(view: DataView, at: number, end: number): { value: number; end: number } | null {
  const token = view.getUint8(at);
  if (token < 0x80) return { value: token, end: at + 1 };
  if (token < uint8 || token > uint64) return null;
  const width = 1 << (token - uint8);
  if (at + 1 + width > end) return null;
  let value = 0;
  for (let i = 1; i <= width; i++) value = value * 256 + view.getUint8(at + i);
  return Number.isSafeInteger(value) ? { value, end: at + 1 + width } : null;
}

function same(bytes: Uint8Array, at: number, other: Uint8Array): boolean {
  return other.every((byte, i) => bytes[at + i] === byte);
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
