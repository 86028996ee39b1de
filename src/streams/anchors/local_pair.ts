import { Deque } from "../../core/mod.ts";
import type { ByteReader, ByteWriter, ReaderEvents, StreamEnd, WriterEvents } from "../byte_stream.ts";
import { FrameReader } from "../wire/frame.ts";

/** What an anchor needs of the reading end of a stream. */
export type FrameSource = Pick<ByteReader, "ended" | "size" | "take" | "stop" | "cancel">;

/** What a sender needs of the writing end of a stream. */
export type FrameSink = Pick<ByteWriter, "ended" | "write" | "end" | "maxFrameBytes">;

/** Frames that a stream within one instance holds. */
export const localWindow = 256;

const reader = new FrameReader();

/** The two ends of a stream within one instance. */
export class LocalPair implements FrameSource, FrameSink {
  readonly #frames = new Deque<Uint8Array>();
  /** The reader's callbacks. */
  readonly toReader: ReaderEvents;
  readonly #toWriter: WriterEvents;
  readonly #window: number;
  #refused = false;
  /** Within one instance nothing is too large. */
  readonly maxFrameBytes = Infinity;
  /** The end, for both sides. */
  ended: StreamEnd | null = null;

  /** @param window Frames that it holds. */
  constructor(toReader: ReaderEvents, toWriter: WriterEvents, window: number = localWindow) {
    this.toReader = toReader;
    this.#toWriter = toWriter;
    this.#window = window;
  }

  /** Frames that wait. */
  get size(): number {
    return this.#frames.size;
  }

  /** Takes a frame, unless the window is full or the stream has ended. */
  write(frame: Uint8Array): boolean {
    if (this.ended !== null) return false;
    if (this.#frames.size >= this.#window) {
      this.#refused = true;
      return false;
    }
    this.#frames.push(frame.slice());
    if (this.#frames.size === 1) this.toReader.readable();
    return true;
  }

  /** Ends the stream behind the frames that wait. */
  end(terminal: Uint8Array): void {
    if (this.ended !== null) return;
    this.ended = endOf(terminal);
    this.toReader.readable();
  }

  /** Takes the next frame. */
  take(): Uint8Array | undefined {
    const frame = this.#frames.shift();
    if (frame !== undefined && this.#refused) {
      this.#refused = false;
      this.#toWriter.credit?.();
    }
    return frame;
  }

  /** Asks the writer to finish. */
  stop(): void {
    if (this.ended === null) this.#toWriter.stop?.();
  }

  /** Ends the stream for its writer, and drops what waits. */
  cancel(): void {
    this.#frames.clear();
    if (this.ended !== null) return;
    this.ended = { reason: "cancelled", text: "" };
    this.#toWriter.ended?.(this.ended);
  }
}

/** The end that a last frame stands for. */
function endOf(terminal: Uint8Array): StreamEnd {
  const refused = reader.read(terminal, 0, terminal.length);
  const { kind, text } = reader;
  if (refused === null && (kind === "finalized" || kind === "detached" || kind === "dropped")) {
    return { reason: kind, text: "" };
  }
  return { reason: "failed", text: kind === "transportError" ? text : "the last frame cannot be read" };
}
