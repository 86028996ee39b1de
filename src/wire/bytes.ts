/** Up to this many bytes a loop is faster than `TypedArray.prototype.set` on both engines. */
const loopBytes = 32;
/** To copy a part, `set` needs a view first, which costs 50 ns more; up to here a loop is faster. */
const loopPartBytes = 128;

/**
 * Copies the first `length` bytes of `from` to `into[at..]` and returns the offset behind them.
 *
 * The caller has checked that both sides are long enough.
 */
export function copyBytes(into: Uint8Array, at: number, from: Uint8Array, length: number): number {
  if (length <= loopBytes || (length <= loopPartBytes && from.length !== length)) {
    for (let i = 0; i < length; i++) into[at + i] = from[i] as number;
  } else {
    into.set(from.length === length ? from : from.subarray(0, length), at);
  }
  return at + length;
}

/**
 * The same through views, four bytes at a time: for the 20 to 40 bytes of a header, with a quarter of the reads and
 * writes of a loop over bytes.
 */
export function copyWords(into: DataView, at: number, from: DataView, length: number): number {
  let i = 0;
  for (; i + 4 <= length; i += 4) into.setInt32(at + i, from.getInt32(i));
  for (; i < length; i++) into.setUint8(at + i, from.getUint8(i));
  return at + length;
}

/** A view over exactly the bytes of an array, with the same offsets. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
