import { Deque } from "../../core/mod.ts";
import type {
  ByteReader,
  ByteWriter,
  ReaderEvents,
  StreamEnd,
  StreamWindow,
  WriterEvents,
} from "../byte_stream.ts";
import { FrameReader } from "../wire/frame.ts";

/** What an anchor needs of the reading end of a stream. */
export type FrameSource = Pick<ByteReader, "ended" | "size" | "take" | "stop" | "cancel">;

/** What a sender needs of the writing end of a stream. */
export type FrameSink = Pick<ByteWriter, "ended" | "write" | "end" | "maxFrameBytes">;

/** What a stream within one instance holds; one frame may exceed the bytes. */
export const localWindow: StreamWindow = Object.freeze({ items: 256, bytes: 1024 * 1024 });

const reader = new FrameReader();

/** The two ends of a stream within one instance. */
export class LocalPair implements FrameSource, FrameSink {
  readonly #frames = new Deque<Uint8Array>();
  /** The reader's callbacks. */
  readonly toReader: ReaderEvents;
  readonly #toWriter: WriterEvents;
  readonly #window: StreamWindow;
  #bytes = 0;
  #refused = false;
  /** Within one instance nothing is too large. */
  readonly maxFrameBytes = Infinity;
  /** The end, for both sides. */
  ended: StreamEnd | null = null;

  /** @param window What it holds. */
  constructor(toReader: ReaderEvents, toWriter: WriterEvents, window: StreamWindow = localWindow) {
    this.toReader = toReader;
    this.#toWriter = toWriter;
    this.#window = window;
  }

  /** Frames that wait. */
  get size(): number {
    return this.#frames.size;
  }

  /** Takes a frame, which nobody changes any more, unless the window is full or the stream has ended. */
  write(frame: Uint8Array): boolean {
    if (this.ended !== null) return false;
    if (this.#frames.size >= this.#window.items || this.#bytes >= this.#window.bytes) {
      this.#refused = true;
      return false;
    }
    this.#frames.push(frame);
    this.#bytes += frame.length;
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
    if (frame === undefined) return undefined;
    this.#bytes -= frame.length;
    if (this.#refused) {
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
    this.#bytes = 0;
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
