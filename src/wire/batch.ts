import { copyBytes, copyWords, viewOf } from "./bytes.ts";
import { type DropReason, isPlainMessageType, MessageType } from "./frame.ts";

/** The version byte a batch's header frame starts with. */
export const batchVersion = 1;

/** Bytes of a batch's header frame: version and record count. */
export const batchHeaderSize = 5;

/** Bytes in front of each record's header: type and both lengths. */
export const batchRecordOverhead = 9;

/**
 * Most records of a batch; ours have a few hundred. It bounds the messages that a receiver must keep from one frame.
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
 * Collects messages for the payload frame of a batch, in a buffer of fixed capacity that {@link BatchWriter.reset}
 * reuses. The layout is at {@link BatchReader}. Nothing is allocated after construction.
 */
export class BatchWriter {
  /** The buffer; its first {@link BatchWriter.length} bytes are the payload frame. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** A view with the same offsets, for the header encoders. */
  readonly view: DataView;
  #length = 0;
  #count = 0;

  /** @param capacity Most bytes of all records. */
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
   * @param header A view of its header; the first `headerLength` bytes are copied.
   * @param headerLength Bytes of the header.
   * @param payload Its payload, copied.
   * @returns `false`, with nothing written, if it does not fit.
   */
  append(type: number, header: DataView, headerLength: number, payload: Uint8Array): boolean {
    const at = this.open(type, headerLength, payload.length);
    if (at < 0) return false;
    copyBytes(this.bytes, copyWords(this.view, at, header, headerLength), payload, payload.length);
    return true;
  }

  /**
   * Adds one message whose header and payload the caller writes into {@link BatchWriter.bytes}: the header at the
   * returned offset, the payload behind it. This saves copying the header from a scratch buffer.
   *
   * @returns The offset of the header, or -1, with nothing written, if it does not fit.
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

  /** Removes all records; the bytes stay until they are overwritten. */
  reset(): void {
    this.#length = 0;
    this.#count = 0;
  }
}

/** The offsets of one message in a batch's payload frame. Written in place and reused. */
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
 * Iterates over the messages of a batch (message type 0x40) without allocating and without trusting a length.
 *
 * Header frame, exactly 5 bytes:
 *
 * | offset | bytes | content |
 * |---|---|---|
 * | 0 | 1 | version, 1 |
 * | 1 | 4 | record count, u32 little-endian, 1 to {@link maxBatchRecords} |
 *
 * Payload frame, the records one after another, with nothing after the last:
 *
 * | offset | bytes | content |
 * |---|---|---|
 * | 0 | 1 | message type, 0 to 4 |
 * | 1 | 4 | length h of the header, u32 little-endian |
 * | 5 | 4 | length p of the payload, u32 little-endian |
 * | 9 | h | header, as in the message's own header frame |
 * | 9 + h | p | payload |
 *
 * Records count as messages sent one after another. A bad record ends the batch: earlier ones are valid, it and later
 * ones are dropped.
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

  /** A view of {@link bytes}, with the same offsets. */
  get view(): DataView {
    return this.#view;
  }

  /** Remaining records, according to the header. */
  get left(): number {
    return this.#left;
  }

  /**
   * Moves the remaining records to a new reader; this one is then at its end.
   *
   * @param owned Whether the payload frame may be kept. Otherwise its rest is copied.
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

  /** Skips the remaining records. */
  end(): void {
    this.#left = 0;
    this.#at = this.#end;
  }

  /**
   * Starts reading a batch. Never throws.
   *
   * @param header The header frame, read at once.
   * @param headerStart Offset of its first byte.
   * @param headerEnd Offset behind its last byte.
   * @param bytes The payload frame, borrowed until the last record is read.
   * @param start Offset of its first byte.
   * @param end Offset behind its last byte.
   * @param view A view with the same offsets as `bytes`; made here if absent.
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
   * Moves to the next message and writes its offsets into `out`. Never throws.
   *
   * @returns `null` when `out` holds a message, `"end"` at the end, or once the reason why the rest is dropped, and
   * then `"end"`.
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
