import type { FrameSink, FrameSpace } from "../../streams/mod.ts";

/** The first byte of a frame that says how many messages are missing before the next one; no item begins with it. */
const gapTag = 4;
const gapBytes = 5;
const mostMissing = 2 ** 32 - 1;

/** Writes the frame of a gap. Returns how many of the missing messages it tells; 0 without credit. */
export function writeGap(writer: FrameSink, missing: number): number {
  const space = writer.reserve(gapBytes);
  if (space === null) return 0;
  const { bytes, at } = space;
  const count = Math.min(missing, mostMissing);
  bytes[at] = gapTag;
  for (let i = 1; i < gapBytes; i++) bytes[at + i] = (count / 2 ** (8 * (gapBytes - 1 - i))) & 0xff;
  writer.commit(gapBytes);
  return count;
}

/** Reads the frame of a gap; 0 for another frame. */
export function readGap({ bytes, start, end }: Frame): number {
  if (bytes[start] !== gapTag || end - start !== gapBytes) return 0;
  let count = 0;
  for (let i = start + 1; i < end; i++) count = count * 256 + bytes[i]!;
  return count;
}

/** A frame in memory. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Where one message is encoded before it is written to several streams. Its memory is used again. */
export class FrameScratch implements FrameSink {
  readonly open = true;
  readonly maxFrameBytes: number;
  bytes: Uint8Array = new Uint8Array(1_024);
  length = 0;
  #copy: Uint8Array | null = null;
  readonly #space: { bytes: Uint8Array; at: number } = { bytes: this.bytes, at: 0 };

  /** @param maxFrameBytes The largest frame that may be sent. */
  constructor(maxFrameBytes: number) {
    this.maxFrameBytes = maxFrameBytes;
  }

  write(frame: Uint8Array): boolean {
    this.reserve(frame.length).bytes.set(frame);
    this.commit(frame.length);
    return true;
  }

  reserve(most: number): FrameSpace {
    if (this.bytes.length < most || this.bytes.length > largestKept) {
      this.bytes = new Uint8Array(Math.max(1_024, most));
      this.#space.bytes = this.bytes;
    }
    return this.#space;
  }

  commit(bytes: number): void {
    this.length = bytes;
    this.#copy = null;
  }

  /** The frame in memory of its own, which nobody changes. */
  copy(): Uint8Array {
    return this.#copy ??= this.bytes.slice(0, this.length);
  }
}

/** Larger memory is not kept for the next message. */
const largestKept = 256 * 1024;
