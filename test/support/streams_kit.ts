/** Streams of bytes between messengers. */
import type { InstanceId, Messenger } from "../../src/mod.ts";
import { portOf } from "../../src/messenger/mod.ts";
import type { ByteReader, ByteWriter, StreamEnd, StreamOptions } from "../../src/streams/byte_stream.ts";
import { type StreamPort, streamsAt } from "../../src/streams/stream_port.ts";

/** The streams of a messenger. */
export function streamsOf(messenger: Messenger): StreamPort {
  const port = portOf(messenger);
  if (port === undefined) throw new Error("no port");
  return streamsAt(port);
}

/** What both ends use. */
export const agreed = { window: { items: 1_024, bytes: 1024 * 1024 }, creditsBytes: true } as const;

/** A writer, with the ends that its owner was told. */
export interface Writing {
  readonly writer: ByteWriter;
  readonly ends: StreamEnd[];
}

/** Opens a stream. */
export function write(
  from: Messenger,
  to: InstanceId,
  options: Partial<StreamOptions> & { session: bigint },
): Writing {
  const ends: StreamEnd[] = [];
  const writer = streamsOf(from).openWriter(to, { anchor: 1n, ...agreed, ...options }, {
    ended: (end) => ends.push(end),
  });
  return { writer, ends };
}

/** A reader, and how to wait for what it has. */
export class Reading {
  readonly reader: ByteReader;
  /** How often the end was told. */
  ends = 0;
  #wake: (() => void) | null = null;

  constructor(at: Messenger, from: InstanceId, options: Partial<StreamOptions> & { session: bigint }) {
    this.reader = streamsOf(at).bind(from, { anchor: 1n, ...agreed, ...options }, {
      readable: () => {
        // The first call after the end tells of it.
        if (this.reader?.ended != null) this.ends++;
        this.#wake?.();
      },
    });
  }

  /** The next frame; null at the end. */
  async next(): Promise<Uint8Array | null> {
    for (;;) {
      const frame = this.reader.take();
      if (frame !== undefined) return frame;
      if (this.reader.ended !== null) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Resolves to the end, when everything before it was read. */
  async end(): Promise<StreamEnd> {
    while (await this.next() !== null);
    return this.reader.ended!;
  }
}

/** Writes frames, waiting for credit, until `make` returns null or the stream ends. Returns how many. */
export async function pour(writer: ByteWriter, make: (i: number) => Uint8Array | null): Promise<number> {
  for (let i = 0;; i++) {
    const frame = make(i);
    if (frame === null) return i;
    while (!writer.write(frame)) {
      if (writer.ended !== null) return i;
      await writer.ready();
    }
  }
}
