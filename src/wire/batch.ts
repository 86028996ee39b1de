import { copyBytes, viewOf } from "./bytes.ts";
import { type DropReason, isPlainMessageType, MessageType } from "./frame.ts";

/** The version byte a batch's header frame starts with. */
export const batchVersion = 1;

/** Bytes of a batch's header frame: version and record count. */
export const batchHeaderSize = 5;

/** Bytes in front of each record's header: type and both lengths. */
export const batchRecordOverhead = 9;

/**
 * Records of one batch at most; ours have a few hundred. Each is a message that somebody handles, and nobody sends
 * more of them at once than a receiver can keep while others have their turn.
 */
export const maxBatchRecords = 4_096;

/**
 * Writes the header frame of a batch at `at`: u8 version 1, u32 record count (little-endian).
 *
 * @returns The offset behind the last byte written.
 */
export function encodeBatchHeader(into: Uint8Array, view: DataView, at: number, count: number): number {
  into[at] = batchVersion;
  view.setUint32(at + 1, count, true);
  return at + batchHeaderSize;
}

/**
 * Collects messages for one payload frame of a batch, in a buffer of fixed capacity that is used again after
 * {@link BatchWriter.reset}.
 *
 * The layout is at {@link BatchReader}. Nothing is allocated after construction.
 */
export class BatchWriter {
  /** The buffer; its first {@link BatchWriter.length} bytes are the payload frame. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** A view with the same offsets, for the header encoders. */
  readonly view: DataView;
  #length = 0;
  #count = 0;

  /**
   * An empty batch.
   *
   * @param capacity Bytes the records may take together.
   */
  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
    this.view = viewOf(this.bytes);
  }

  /** Bytes written. */
  get length(): number {
    return this.#length;
  }

  /** Records written. */
  get count(): number {
    return this.#count;
  }

  /**
   * Adds one message.
   *
   * @param type Its message type, 0 to 4.
   * @param header Its header; the first `headerLength` bytes are copied.
   * @param headerLength Bytes of the header.
   * @param payload Its payload, copied.
   * @returns `false`, with nothing written, when it does not fit.
   */
  append(type: number, header: Uint8Array, headerLength: number, payload: Uint8Array): boolean {
    const at = this.open(type, headerLength, payload.length);
    if (at < 0) return false;
    copyBytes(this.bytes, copyBytes(this.bytes, at, header, headerLength), payload, payload.length);
    return true;
  }

  /**
   * Adds one message whose header and payload the caller writes into {@link BatchWriter.bytes} itself: the header
   * at the returned offset, the payload right behind it. Saves copying a header from a scratch buffer.
   *
   * @returns The offset of the header, or -1, with nothing written, when it does not fit.
   */
  open(type: number, headerLength: number, payloadLength: number): number {
    const at = this.#length;
    const end = at + batchRecordOverhead + headerLength + payloadLength;
    if (end > this.bytes.length) return -1;
    this.bytes[at] = type;
    this.view.setUint32(at + 1, headerLength, true);
    this.view.setUint32(at + 5, payloadLength, true);
    this.#length = end;
    this.#count++;
    return at + batchRecordOverhead;
  }

  /** Forgets all records; the bytes stay until they are overwritten. */
  reset(): void {
    this.#length = 0;
    this.#count = 0;
  }
}

/** Where one message of a batch lies: offsets into the payload frame. Written in place, used again. */
export class BatchRecord {
  /** The message type, 0 to 4. */
  type: 0 | 1 | 2 | 3 | 4 = 0;
  /** Offset of the header. */
  headerStart = 0;
  /** Offset behind the header. */
  headerEnd = 0;
  /** Offset of the payload. */
  payloadStart = 0;
  /** Offset behind the payload. */
  payloadEnd = 0;
}

/**
 * Walks the messages of a batch (message type 0x40) without allocating and without trusting a length.
 *
 * Header frame, exactly 5 bytes:
 *
 * | offset | bytes | what |
 * |---|---|---|
 * | 0 | 1 | version, 1 |
 * | 1 | 4 | record count, u32 little-endian, 1 to {@link maxBatchRecords} |
 *
 * Payload frame, the records one after another, with nothing behind the last:
 *
 * | offset | bytes | what |
 * |---|---|---|
 * | 0 | 1 | message type, 0 to 4 |
 * | 1 | 4 | length h of the header, u32 little-endian |
 * | 5 | 4 | length p of the payload, u32 little-endian |
 * | 9 | h | header, as in the message's own header frame |
 * | 9 + h | p | payload |
 *
 * Records count as messages sent one after another. A bad record ends the batch: those before it stand, it and
 * the rest are dropped.
 *
 * @example Usage
 * ```ts ignore
 * let reason = reader.reset(header, 0, header.length, bytes, 0, bytes.length);
 * while (reason === null && (reason = reader.next(record)) === null) dispatch(record);
 * if (reason !== "end") count(reason);
 * ```
 */
export class BatchReader {
  #bytes: Uint8Array = new Uint8Array();
  #view: DataView = new DataView(this.#bytes.buffer);
  #at = 0;
  #end = 0;
  #left = 0;

  /** The payload frame. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** A view of it, with the same offsets. */
  get view(): DataView {
    return this.#view;
  }

  /** Records that are left, as far as the header tells. */
  get left(): number {
    return this.#left;
  }

  /**
   * What is left, for going on later; this reader is then at its end.
   *
   * @param owned Whether the payload frame may be kept. Else what is left of it is copied.
   */
  takeRest(owned: boolean): BatchReader {
    const rest = new BatchReader();
    if (owned) {
      rest.#bytes = this.#bytes;
      rest.#view = this.#view;
      rest.#at = this.#at;
    } else {
      rest.#bytes = this.#bytes.slice(this.#at, this.#end);
      rest.#view = viewOf(rest.#bytes);
    }
    rest.#end = rest.#at + this.#end - this.#at;
    rest.#left = this.#left;
    this.end();
    return rest;
  }

  /** Leaves out what is left. */
  end(): void {
    this.#left = 0;
    this.#at = this.#end;
  }

  /**
   * Starts on another batch. Never throws.
   *
   * @param header The header frame, read at once.
   * @param headerStart Offset of its first byte.
   * @param headerEnd Offset behind its last byte.
   * @param bytes The payload frame, borrowed until the walk ends.
   * @param start Offset of its first byte.
   * @param end Offset behind its last byte.
   * @param view A view with the same offsets as `bytes`; made here when left out.
   * @returns `null`, or why the whole batch is dropped.
   */
  reset(
    header: Uint8Array,
    headerStart: number,
    headerEnd: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    view?: DataView | undefined,
  ): DropReason | null {
    this.#left = 0;
    this.#at = this.#end = 0;
    if (headerEnd - headerStart !== batchHeaderSize || headerEnd > header.length) return "batchHeader";
    if (header[headerStart] !== batchVersion) return "batchVersion";
    let count = 0;
    for (let i = 4; i > 0; i--) count = count * 256 + (header[headerStart + i] as number);
    if (end > bytes.length || start > end) return "batchTruncated";
    if (count === 0 || count * batchRecordOverhead > end - start) return "batchCount";
    if (count > maxBatchRecords) return "batchRecords";
    this.#bytes = bytes;
    this.#view = view ?? viewOf(bytes);
    this.#at = start;
    this.#end = end;
    this.#left = count;
    return null;
  }

  /**
   * Moves to the next message and writes where it lies into `out`. Never throws.
   *
   * @returns `null` when `out` holds a message, `"end"` when the batch is over, or why the rest is dropped, once;
   * after that `"end"`.
   */
  next(out: BatchRecord): DropReason | "end" | null {
    const at = this.#at;
    const end = this.#end;
    if (this.#left === 0) return at === end ? "end" : this.#fail("batchTrailing");
    if (at === end) return this.#fail("batchCount");
    if (end - at < batchRecordOverhead) return this.#fail("batchTruncated");
    const type = this.#bytes[at] as number;
    if (!isPlainMessageType(type)) {
      return this.#fail(type === MessageType.batch ? "batchNested" : "batchType");
    }
    const headerStart = at + batchRecordOverhead;
    const headerEnd = headerStart + this.#view.getUint32(at + 1, true);
    const payloadEnd = headerEnd + this.#view.getUint32(at + 5, true);
    if (payloadEnd > end) return this.#fail("batchTruncated");
    out.type = type;
    out.headerStart = headerStart;
    out.headerEnd = headerEnd;
    out.payloadStart = headerEnd;
    out.payloadEnd = payloadEnd;
    this.#at = payloadEnd;
    this.#left--;
    return null;
  }

  #fail(reason: DropReason): DropReason {
    this.end();
    return reason;
  }
}
