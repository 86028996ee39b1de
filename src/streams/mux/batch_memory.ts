import { BatchBuffer } from "../wire/batch.ts";

/**
 * Most bytes of a batch; a larger frame goes alone. At 64 B it holds half of the window of a call, for which credit is
 * returned at once, so each half is one message: each message wakes libzmq's thread at both ends.
 */
export const batchBytes: number = 40 * 1024;

// So many peers that fill batches in one turn keep memory for the next ones.
const keptBatches = 16;
// New memory for each frame of 64 KiB costs as much as writing the frame.
const keptLargeBytes = 256 * 1024;

/** Memory for batches, to be used again. */
export class BatchMemory {
  readonly #free: BatchBuffer[] = [];
  #large: BatchBuffer | null = null;

  /** Memory for a batch of at most {@link batchBytes}, or of one record that needs more. */
  take(bytes: number): BatchBuffer {
    if (bytes <= batchBytes) return this.#free.pop() ?? new BatchBuffer(batchBytes);
    const large = this.#large;
    this.#large = null;
    if (large !== null && large.bytes.length >= bytes) return large;
    return new BatchBuffer(bytes <= keptLargeBytes ? 2 ** Math.ceil(Math.log2(bytes)) : bytes);
  }

  /** Takes memory back, with its records removed. */
  give(buffer: BatchBuffer): void {
    const { length } = buffer.bytes;
    if (length === batchBytes) {
      if (this.#free.length < keptBatches) this.#free.push(buffer);
    } else if (length <= keptLargeBytes) this.#large = buffer;
  }
}
