import type { WorkerId } from "../core/mod.ts";

/**
 * The 128-bit name of an event: the upper 64 bits are the owner's worker id, the next 32 an index, the lowest 32 a
 * generation. Bit 31 of the index marks an event that exists in its own process only.
 *
 * `String(handle)` is its decimal text, which {@link eventHandle} parses. Payloads carry that text, because JSON has no
 * integers of that size.
 */
export type EventHandle = bigint & { readonly "~brand": "EventHandle" };

/** Index bit of events without a messenger. */
export const localFlag = 0x8000_0000;

const handleBytes = 16;
const decimal = /^(?:0|[1-9][0-9]{0,38})$/;
// All platforms are little-endian. A bigint is written into 64 bits without making another one.
const scratch = new BigUint64Array(2);
const scratchBytes = new Uint8Array(scratch.buffer);

/**
 * Parses the decimal text of a handle, or checks a bigint.
 *
 * @param text 1 to 39 digits without leading zeros.
 * @returns The handle. The event need not exist.
 * @throws {TypeError} If it is not such a text, or exceeds 128 bits.
 *
 * @example Usage
 * ```ts
 * import { eventHandle } from "zeromesh";
 *
 * const handle = eventHandle("56234154719799553934924405423673966593");
 * console.log(String(handle)); // 56234154719799553934924405423673966593
 * ```
 */
export function eventHandle(text: string | bigint): EventHandle {
  if (typeof text === "bigint" || (typeof text === "string" && decimal.test(text))) {
    const handle = BigInt(text);
    if (handle >= 0n && handle >> 128n === 0n) return handle as EventHandle;
  }
  throw new TypeError(
    `Cannot use ${typeof text === "string" ? JSON.stringify(text) : String(text)} as an event handle: ` +
      "it must be a decimal integer of at most 128 bits, as String(handle) gives it",
  );
}

/** The 16 bytes of a handle, little-endian like the ids in Velo's headers. */
export function eventHandleToBytes(handle: EventHandle): Uint8Array {
  splitHandle(handle);
  return scratchBytes.slice();
}

/**
 * The handle in these 16 little-endian bytes.
 *
 * @throws {TypeError} If there are not exactly 16.
 */
export function eventHandleFromBytes(bytes: Uint8Array): EventHandle {
  if (!(bytes instanceof Uint8Array) || bytes.length !== handleBytes) {
    throw new TypeError("Cannot read an event handle: it must be a Uint8Array of 16 bytes");
  }
  scratchBytes.set(bytes);
  return joinHandle(handleWords);
}

/** The words of the handle split last: generation, index, low and high half of the owner's worker id. */
export const handleWords: Uint32Array = new Uint32Array(scratch.buffer);

// The handle in these words: a message needs the words of one handle several times, and comparing is cheaper.
let splitLast: bigint = 0n;

/** Puts a handle's words into {@link handleWords}. */
export function splitHandle(handle: EventHandle): void {
  if (handle === splitLast) return;
  scratch[0] = handle;
  scratch[1] = handle >> 64n;
  splitLast = handle;
}

/** The handle with these words. */
export function joinHandle(words: Uint32Array): EventHandle {
  if (words !== handleWords) handleWords.set(words);
  return (splitLast = (scratch[1]! << 64n) | scratch[0]!) as EventHandle;
}

/** Makes a handle of its parts. */
export function makeHandle(owner: bigint, index: number, generation: number): EventHandle {
  return ((owner << 64n) | (BigInt(index) << 32n) | BigInt(generation)) as EventHandle;
}

/** The worker id of the instance that made the event; for events without a messenger, a random number. */
export function ownerOf(handle: EventHandle): WorkerId {
  return (handle >> 64n) as WorkerId;
}
