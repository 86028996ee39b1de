import { Buffer } from "node:buffer";

/**
 * One part of a received message: a `Buffer` with memory of its own.
 *
 * A project without the types of Node sees the `Uint8Array` that a `Buffer` is: the declarations need no other package.
 */
export type Message = typeof globalThis extends
  { Buffer: { alloc(size: number): infer Part extends Uint8Array } } ? Part
  : Uint8Array;

/**
 * One part of a message to send.
 *
 * Bytes are sent as they are, text as UTF-8, a number as its decimal text, and null as an empty part.
 */
export type MessageLike = ArrayBufferView | ArrayBuffer | SharedArrayBuffer | string | number | null;

const empty = new Uint8Array(0);
const encoder = new TextEncoder();

/** The bytes of the parts of a message, which may share the memory of the argument. */
export function partsOf(message: unknown): Uint8Array[] {
  if (!Array.isArray(message)) return [bytesOf(message)];
  const parts: Uint8Array[] = [];
  // Unlike `map`, this has no holes.
  for (let i = 0; i < message.length; i++) parts.push(bytesOf(message[i]));
  return parts;
}

/** The bytes of a part. */
function bytesOf(part: unknown): Uint8Array {
  if (typeof part === "string") return encoder.encode(part);
  if (part === null) return empty;
  if (ArrayBuffer.isView(part)) {
    const view = part instanceof Uint8Array
      ? part
      : new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    // Foreign functions do not take memory that another thread may change.
    return view.buffer instanceof ArrayBuffer ? view : Uint8Array.from(view);
  }
  if (part instanceof ArrayBuffer) return new Uint8Array(part);
  if (part instanceof SharedArrayBuffer) return Uint8Array.from(new Uint8Array(part));
  // The text of a symbol would be its description.
  if (typeof part === "symbol") throw new TypeError("Cannot convert a Symbol value to a string");
  return encoder.encode(String(part));
}

/** The number of bytes of a message. */
export function sizeOf(parts: readonly Uint8Array[]): number {
  let size = 0;
  for (const part of parts) size += part.length;
  return size;
}

/** Copies parts that wait for room, so that the program may use its memory again. */
export function copied(parts: readonly Uint8Array[]): Uint8Array[] {
  return parts.map((part) => Uint8Array.from(part));
}

/** New memory for a received part, which is filled at once. */
export function newPart(size: number): Message {
  return Buffer.allocUnsafeSlow(size);
}
