/**
 * The 128-bit name of an anchor: the upper 64 bits are the worker id of the instance that reads, the lower 64 its own
 * number for the anchor. Bit 63 of that number marks an anchor with many senders.
 *
 * `String(handle)` is its decimal text, which {@link streamHandle} parses. Payloads carry that text, because JSON has no
 * integers of that size.
 */
export type StreamHandle = bigint & { readonly "~brand": "StreamHandle" };

/** The bit of a local number that marks an anchor with many senders. */
export const manySendersBit: bigint = 1n << 63n;

const decimal = /^(?:0|[1-9][0-9]{0,38})$/;
const mask64 = (1n << 64n) - 1n;

/**
 * Parses the decimal text of a handle, or checks a bigint.
 *
 * @param text 1 to 39 digits without leading zeros.
 * @returns The handle. The anchor need not exist.
 * @throws {TypeError} If it is not such a text, or exceeds 128 bits.
 *
 * @example Usage
 * ```ts
 * import { streamHandle } from "zeromesh/streams";
 *
 * const handle = streamHandle("56234154719799553934924405423673966593");
 * console.log(String(handle)); // 56234154719799553934924405423673966593
 * ```
 */
export function streamHandle(text: string | bigint): StreamHandle {
  if (typeof text === "bigint" || (typeof text === "string" && decimal.test(text))) {
    const handle = BigInt(text);
    if (handle >= 0n && handle >> 128n === 0n) return handle as StreamHandle;
  }
  throw new TypeError(
    `Cannot use ${typeof text === "string" ? JSON.stringify(text) : String(text)} as a stream handle: ` +
      "it must be a decimal integer of at most 128 bits, as String(handle) gives it",
  );
}

/** The handle of an anchor. @param worker The reader's worker id. @param local Its number there. */
export function handleOf(worker: bigint, local: bigint): StreamHandle {
  return ((worker << 64n) | local) as StreamHandle;
}

/** The worker id of the instance that reads. */
export function workerOfHandle(handle: StreamHandle): bigint {
  return handle >> 64n;
}

/** The reader's own number for the anchor, {@link manySendersBit} included. */
export function localOfHandle(handle: StreamHandle): bigint {
  return handle & mask64;
}

/** Whether the anchor takes many senders at a time. */
export function hasManySenders(handle: StreamHandle): boolean {
  return (handle & manySendersBit) !== 0n;
}

/** A handle as Velo's messages write it. */
export function handleText(handle: StreamHandle): string {
  const kind = hasManySenders(handle) ? "mpsc" : "spsc";
  const local = localOfHandle(handle) & ~manySendersBit;
  return `StreamAnchorHandle(worker=${workerOfHandle(handle)}, local=${local}, kind=${kind})`;
}
