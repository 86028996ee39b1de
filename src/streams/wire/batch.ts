/** The version of the multiplexer's batches: `messenger-mux-v2`. */
export const muxVersion = 2;

/** Bytes of a batch's header. */
export const batchHeaderSize = 16;

/** Bytes in front of each record's body. */
export const recordHeaderSize = 13;

/** Slots have 24 bits of index, above 8 bits of generation. */
export const maxSlotIndex = 0xff_ffff;

/**
 * The type of a record.
 *
 * | value | record | from | body |
 * |---|---|---|---|
 * | 0 | data | writer | a frame |
 * | 1 | open | writer | u64 anchor, u64 session |
 * | 2 | close | either | u8 {@link CloseReason} |
 * | 3 | credit | reader | u32 items; between zeromesh instances also u32 bytes |
 * | 4 | heartbeat | writer | empty |
 * | 5 | lifecycle | reader | u64 session, u8 {@link LifecycleAction} |
 */
export const RecordType = { data: 0, open: 1, close: 2, credit: 3, heartbeat: 4, lifecycle: 5 } as const;

/**
 * Why a slot is closed: 0 comes from its writer, the others from its reader. Between zeromesh instances a writer that has
 * finished takes the stream back with 1, in a record with a number, if nobody has come to read it.
 */
export const CloseReason = { terminalSent: 0, peerGone: 1, unknownSlot: 2, protocolError: 3 } as const;

/** What a reader asks of a writer. */
export const LifecycleAction = { stop: 0, cancel: 1 } as const;

/** Why a batch, or its rest, was refused. */
export const batchRefusals = [
  "headerTruncated",
  "version",
  "epoch",
  "recordTruncated",
  "recordType",
  "bodyLength",
  "closeReason",
  "lifecycleAction",
  "trailing",
] as const;

/** One of {@link batchRefusals}. */
export type BatchRefusal = (typeof batchRefusals)[number];

/** Lengths of the bodies that have a fixed one, by type; −1 for others. */
const bodyLengths = [-1, 16, 1, -1, 0, 9] as const;

// Some processors need 20 times as long to copy memory to an address whose offset in its page is up to 31 bytes above that
// of its source: 22 instead of 1.4 µs for 64 KiB. Large memory often begins with a page, so the body of the first record,
// without its tag, is 64 bytes further.
const shift = 64 - batchHeaderSize - recordHeaderSize - 1;

/**
 * Collects records for one batch, in a buffer that is used again. All numbers are big-endian:
 *
 * | offset | bytes | content |
 * |---|---|---|
 * | 0 | 1 | version, 2 |
 * | 1 | 1 | flags: the lane, 0 |
 * | 2 | 2 | number of records |
 * | 4 | 8 | epoch of the sender, from 1 |
 * | 12 | 4 | number of the batch in the epoch, from 0 |
 * | 16 | | the records, with nothing after the last |
 *
 * A record has u8 type, u32 slot, u32 number in the slot, u32 length and the body.
 */
export class BatchBuffer {
  /** The memory; the batch is at its start. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #length = batchHeaderSize;
  #count = 0;

  /** @param capacity Most bytes of the batch. */
  constructor(capacity: number) {
    this.bytes = new Uint8Array(new ArrayBuffer(capacity + shift), shift);
    this.#view = new DataView(this.bytes.buffer, shift);
  }

  /** Records in it. */
  get count(): number {
    return this.#count;
  }

  /** Bytes that another record's body may have. */
  get room(): number {
    return this.#count === 0xffff ? -1 : this.bytes.length - this.#length - recordHeaderSize;
  }

  /** Offset of the body of the next record. */
  get bodyAt(): number {
    return this.#length + recordHeaderSize;
  }

  /** Adds a record, for whose body there is {@link room}. Returns the offset of the body, which the caller writes. */
  open(type: number, slot: number, sequence: number, length: number): number {
    const at = this.#length;
    const view = this.#view;
    this.bytes[at] = type;
    view.setUint32(at + 1, slot);
    view.setUint32(at + 5, sequence);
    view.setUint32(at + 9, length);
    this.#length = at + recordHeaderSize + length;
    this.#count++;
    return at + recordHeaderSize;
  }

  /** Writes a body of one or two u32. */
  writeUint32(at: number, value: number): void {
    this.#view.setUint32(at, value);
  }

  /** Writes a u64. */
  writeUint64(at: number, value: bigint): void {
    this.#view.setBigUint64(at, value);
  }

  /** Completes the batch and returns it. It stays valid until records are added. */
  finish(epoch: number, sequence: number): Uint8Array {
    const view = this.#view;
    this.bytes[0] = muxVersion;
    this.bytes[1] = 0;
    view.setUint16(2, this.#count);
    view.setUint32(4, Math.floor(epoch / 2 ** 32));
    view.setUint32(8, epoch >>> 0);
    view.setUint32(12, sequence);
    return this.bytes.subarray(0, this.#length);
  }

  /** Removes all records. */
  reset(): void {
    this.#length = batchHeaderSize;
    this.#count = 0;
  }
}

/**
 * Reads a batch record by record, without allocating and without trusting a length. A bad record ends the batch:
 * earlier ones are valid, it and later ones are dropped.
 */
export class RecordReader {
  /** Epoch of the sender; numbers above 2^53 are rounded. */
  epoch = 0;
  /** Number of the batch. */
  batch = 0;
  /** A {@link RecordType}. */
  type = 0;
  /** The slot, as its writer names it. */
  slot = 0;
  /** Number of the record in its slot; 0 from a reader. */
  sequence = 0;
  /** Offset of the body. */
  start = 0;
  /** Offset behind the body. */
  end = 0;
  /** The memory. */
  bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.bytes.buffer);
  #left = 0;
  #end = 0;

  /** Starts with the batch `bytes[start..end)`. Returns why it is refused, or null. */
  begin(bytes: Uint8Array, start: number, end: number): BatchRefusal | null {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    this.end = start;
    if (end - start < batchHeaderSize) return this.#refuse("headerTruncated");
    if (bytes[start] !== muxVersion) return this.#refuse("version");
    const view = this.#view;
    this.#left = view.getUint16(start + 2);
    this.epoch = view.getUint32(start + 4) * 2 ** 32 + view.getUint32(start + 8);
    if (this.epoch === 0) return this.#refuse("epoch");
    this.batch = view.getUint32(start + 12);
    this.end = start + batchHeaderSize;
    this.#end = end;
    return null;
  }

  /** Reads the next record. Returns null, `"end"` behind the last one, or why the rest is refused. */
  next(): BatchRefusal | "end" | null {
    const at = this.end;
    if (this.#left === 0) return at === this.#end ? "end" : this.#refuse("trailing");
    if (this.#end - at < recordHeaderSize) return this.#refuse("recordTruncated");
    const view = this.#view;
    const type = this.type = this.bytes[at]!;
    const length = view.getUint32(at + 9);
    if (length > this.#end - at - recordHeaderSize) return this.#refuse("recordTruncated");
    this.#left--;
    this.slot = view.getUint32(at + 1);
    this.sequence = view.getUint32(at + 5);
    this.start = at + recordHeaderSize;
    this.end = this.start + length;
    return type === RecordType.data ? null : this.#check(type, length);
  }

  /** A u32 of the body. */
  uint32(at: number): number {
    return this.#view.getUint32(at);
  }

  /** A u64 of the body. */
  uint64(at: number): bigint {
    return this.#view.getBigUint64(at);
  }

  #check(type: number, length: number): BatchRefusal | null {
    const wanted = bodyLengths[type];
    if (wanted === undefined) return this.#refuse("recordType");
    const fits = type === RecordType.credit ? length === 4 || length === 8 : length === wanted;
    if (!fits) return this.#refuse("bodyLength");
    const last = this.bytes[this.end - 1]!;
    if (type === RecordType.close && last > CloseReason.protocolError) return this.#refuse("closeReason");
    if (type === RecordType.lifecycle && last > LifecycleAction.cancel) {
      return this.#refuse("lifecycleAction");
    }
    return null;
  }

  #refuse(reason: BatchRefusal): BatchRefusal {
    this.#left = 0;
    this.#end = this.end;
    return reason;
  }
}
