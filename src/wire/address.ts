import { copyBytes } from "./bytes.ts";
import { writeString } from "./headers.ts";
import { MsgpackCursor } from "./msgpack_cursor.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** Most bytes of an encoded worker address, and of each of its entries. */
export const maxAddressBytes = 65_536;

/** Most entries of a worker address. */
export const maxAddressEntries = 64;

/** Why bytes are not a worker address: empty, over a limit, or invalid MessagePack. */
export type AddressFault = "addressEmpty" | "addressTooLarge" | "addressEncoding";

/** The entries of a worker address, one for each transport. */
export type WorkerAddress = Readonly<Record<string, Uint8Array>>;

/**
 * Encodes a worker address: a MessagePack map from transport key to an **array** with one small integer per byte
 * (Velo's own form; a binary value would be refused by older peers).
 *
 * | part | bytes |
 * |---|---|
 * | map | `80`+n up to 15 entries, then `de` and u16 |
 * | key | a string, as in {@link encodeHeaders} |
 * | value | `90`+n up to 15 bytes, `dc` and u16 up to 65 535; each byte below 0x80 as itself, else `cc` and it |
 *
 * The entry `zmq` holds an endpoint as UTF-8 text. Entries keep the order of the object.
 *
 * @throws {RangeError} If there are more than {@link maxAddressEntries} or the result exceeds
 * {@link maxAddressBytes}.
 */
export function encodeWorkerAddress(entries: WorkerAddress): Uint8Array {
  const keys = Object.keys(entries);
  if (keys.length > maxAddressEntries) {
    throw new RangeError(
      `Cannot encode a worker address of ${keys.length} entries: at most ${maxAddressEntries}`,
    );
  }
  let capacity = 3;
  for (const key of keys) capacity += key.length * 3 + 6 + (entries[key]?.length ?? 0) * 2;
  const bytes = new Uint8Array(capacity);
  let at = 0;
  if (keys.length <= 0x0f) bytes[at++] = 0x80 | keys.length;
  else at = writeU16(bytes, at, 0xde, keys.length);
  for (const key of keys) {
    const value = entries[key] ?? new Uint8Array();
    const keyBytes = encodeUtf8(key);
    if (keyBytes.length + value.length > maxAddressBytes) throw tooLarge();
    at = writeString(bytes, at, keyBytes);
    if (value.length <= 0x0f) bytes[at++] = 0x90 | value.length;
    else at = writeU16(bytes, at, 0xdc, value.length);
    for (const byte of value) {
      if (byte >= 0x80) bytes[at++] = 0xcc;
      bytes[at++] = byte;
    }
  }
  if (at > maxAddressBytes) throw tooLarge();
  return bytes.slice(0, at);
}

function tooLarge(): RangeError {
  return new RangeError(`Cannot encode a worker address of more than ${maxAddressBytes} bytes`);
}

function writeU16(into: Uint8Array, at: number, token: number, value: number): number {
  into[at] = token;
  into[at + 1] = value >> 8;
  into[at + 2] = value & 0xff;
  return at + 3;
}

/**
 * Decodes a worker address. Never throws.
 *
 * Values may be arrays of small integers or binaries, with lengths of each width; unknown keys are kept, and the last
 * value of a repeated key counts. No bytes may be left over.
 *
 * @returns An object without prototype whose values are copies, or the fault.
 */
export function decodeWorkerAddress(bytes: Uint8Array): Record<string, Uint8Array> | AddressFault {
  if (bytes.length === 0) return "addressEmpty";
  if (bytes.length > maxAddressBytes) return "addressTooLarge";
  const cursor = new MsgpackCursor(bytes, 0, bytes.length);
  const size = cursor.readMapSize();
  if (size < 0) return "addressEncoding";
  if (size > maxAddressEntries) return "addressTooLarge";
  const entries: Record<string, Uint8Array> = Object.create(null);
  for (let i = 0; i < size; i++) {
    const keyStart = cursor.readString();
    const key = keyStart < 0 ? null : decodeUtf8(bytes, keyStart, cursor.at);
    const value = key === null ? null : readBytes(bytes, cursor);
    if (key === null || value === null) return "addressEncoding";
    entries[key] = value;
  }
  return cursor.at === bytes.length ? entries : "addressEncoding";
}

/** Reads a value that is a binary or an array of small integers; `null` for others. */
export function readBytes(bytes: Uint8Array, cursor: MsgpackCursor): Uint8Array | null {
  const token = cursor.peek();
  if (token >= 0xc4 && token <= 0xc6) {
    const start = cursor.readBinary();
    if (start < 0) return null;
    const copy = new Uint8Array(cursor.at - start);
    copyBytes(copy, 0, bytes.subarray(start, cursor.at), copy.length);
    return copy;
  }
  const size = cursor.readArraySize();
  if (size < 0) return null;
  const value = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    const byte = cursor.readUnsigned();
    if (byte < 0 || byte > 0xff) return null;
    value[i] = byte;
  }
  return value;
}
