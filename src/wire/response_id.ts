/**
 * A response id as the four little-endian u32 words of its 16 bytes, all unsigned.
 *
 * | bytes | word | content |
 * |---|---|---|
 * | 0..3 | `id0` | requester's worker id, low half |
 * | 4..7 | `id1` | requester's worker id, high half |
 * | 8..11 | `id2` | low 16 bits: slot; high 16 bits: generation, lowest part |
 * | 12..15 | `id3` | generation, upper 32 bits |
 *
 * The responder echoes all 16 bytes and reads only the first eight; the others are the requester's. Four words instead
 * of a bigint, because each message has an id and a bigint would be an allocation.
 */
export interface ResponseId {
  /** Low half of the requester's worker id. */
  id0: number;
  /** High half of the requester's worker id. */
  id1: number;
  /** Slot in the low 16 bits, the generation's lowest 16 bits above. */
  id2: number;
  /** The generation's upper 32 bits. */
  id3: number;
}

/** Bytes of a response id on the wire. */
export const responseIdBytes = 16;

/** Reads the 16 bytes at `at` into `out`. The caller has checked that they are there. */
export function readResponseId(view: DataView, at: number, out: ResponseId): void {
  out.id0 = view.getUint32(at, true);
  out.id1 = view.getUint32(at + 4, true);
  out.id2 = view.getUint32(at + 8, true);
  out.id3 = view.getUint32(at + 12, true);
}

/** Writes the 16 bytes of `id` at `at` and returns the offset behind them. */
export function writeResponseId(view: DataView, at: number, id: ResponseId): number {
  // As signed words, which are the same bytes: in a profile on Bun the other call left the compiled code.
  view.setInt32(at, id.id0 | 0, true);
  view.setInt32(at + 4, id.id1 | 0, true);
  view.setInt32(at + 8, id.id2 | 0, true);
  view.setInt32(at + 12, id.id3 | 0, true);
  return at + responseIdBytes;
}

/** The id as one unsigned 128-bit integer, as control messages in JSON carry it. */
export function responseIdToBigInt(id: ResponseId): bigint {
  return (BigInt(id.id3) << 96n) | (BigInt(id.id2) << 64n) | (BigInt(id.id1) << 32n) | BigInt(id.id0);
}

/**
 * The response id of an unsigned 128-bit integer.
 *
 * @throws {RangeError} If the value is negative or needs more than 128 bits.
 */
export function responseIdFromBigInt(value: bigint): ResponseId {
  if (value < 0n || value >> 128n !== 0n) {
    throw new RangeError(`Cannot use ${value} as a response id: it must fit in 128 unsigned bits`);
  }
  return {
    id0: Number(value & 0xffffffffn),
    id1: Number((value >> 32n) & 0xffffffffn),
    id2: Number((value >> 64n) & 0xffffffffn),
    id3: Number(value >> 96n),
  };
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The 16 bytes of an id in the text form of a UUID; version and variant bits have no meaning in it. */
export function responseIdToUuid(id: ResponseId): string {
  const view = new DataView(new ArrayBuffer(responseIdBytes));
  writeResponseId(view, 0, id);
  let digits = "";
  for (let at = 0; at < responseIdBytes; at += 4) digits += view.getUint32(at).toString(16).padStart(8, "0");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The id in a UUID's text form; null for other text. */
export function responseIdFromUuid(text: string): ResponseId | null {
  if (text.length !== 36 || !uuidPattern.test(text)) return null;
  const digits = text.replaceAll("-", "");
  const view = new DataView(new ArrayBuffer(responseIdBytes));
  for (let at = 0; at < responseIdBytes; at += 4) {
    view.setUint32(at, Number.parseInt(digits.slice(2 * at, 2 * at + 8), 16));
  }
  const id: ResponseId = { id0: 0, id1: 0, id2: 0, id3: 0 };
  readResponseId(view, 0, id);
  return id;
}
