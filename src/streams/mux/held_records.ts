import { recordHeaderSize } from "../wire/batch.ts";

/** A record that came before an earlier one. */
interface Held {
  readonly type: number;
  /** Its body, behind room for the header of a record, since the reader finds an item there. */
  readonly bytes: Uint8Array;
}

/** Records of one slot that wait for an earlier one. */
export class HeldRecords {
  /** Bytes of their bodies. */
  bytes = 0;
  readonly #records: Map<number, Held> = new Map();

  /** Whether one has this number. */
  has(sequence: number): boolean {
    return this.#records.has(sequence);
  }

  /** Whether there is none. */
  get empty(): boolean {
    return this.#records.size === 0;
  }

  /** Adds a record, whose body `bytes[start..end)` is copied. */
  add(sequence: number, type: number, bytes: Uint8Array, start: number, end: number): void {
    const record = new Uint8Array(recordHeaderSize + end - start);
    new DataView(record.buffer).setUint32(9, end - start);
    record.set(bytes.subarray(start, end), recordHeaderSize);
    this.#records.set(sequence, { type, bytes: record });
    this.bytes += end - start;
  }

  /** Takes the record with this number; undefined without one. */
  take(sequence: number): Held | undefined {
    const record = this.#records.get(sequence);
    if (record === undefined) return undefined;
    this.#records.delete(sequence);
    this.bytes -= record.bytes.length - recordHeaderSize;
    return record;
  }
}
