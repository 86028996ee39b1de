import { isDeepStrictEqual } from "node:util";

/** Whether bytes are equal: a hundred times as quick as a function for each byte, and without a report of megabytes. */
export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return isDeepStrictEqual(viewOf(one), viewOf(other));
}

/** Whether there are so many bytes, and each of them is this one. */
export function allBytes(bytes: Uint8Array, value: number, size: number = bytes.length): boolean {
  return sameBytes(bytes, new Uint8Array(size).fill(value));
}

/** The same bytes, whatever class they are of. */
function viewOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
