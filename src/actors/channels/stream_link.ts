import { type AnySchema, Deque, validateArrived, ZeromeshError } from "../../core/mod.ts";
import {
  type ByteReader,
  type ByteWriter,
  type ItemCodec,
  type ReaderEvents,
  type StreamEnd,
  terminalFrames,
  transportErrorFrame,
  type WriterEvents,
} from "../../streams/mod.ts";
import { itemInvalid } from "../failures.ts";
import { type ChannelLink, endMark, type LinkEvents, noItem } from "./link.ts";

/** What a {@link StreamLink} needs. */
export interface StreamLinkParts {
  /** The name of the channel's kind. */
  readonly name: string;
  readonly codec: ItemCodec;
  /** Schema of the items that arrive. */
  readonly schema: AnySchema;
  /** Something was written, which must leave before the next message to the same instance. */
  wrote(): void;
}

/** The frame of the mark that no more items come. */
const endFrame = Uint8Array.of(2);
/** The text of the last frame of a side that closes the channel, before its reason. */
const closingText = "channel closed: ";
/** The most characters of a reason that are told. */
const longestReason = 1_024;

/** One side's end of a channel between instances: a stream each way. */
export class StreamLink implements ChannelLink {
  /** The callbacks of the stream that it reads. */
  readonly readerEvents: ReaderEvents = {
    arrived: (count) => this.#arrived(count),
    readable: () => this.#look(),
  };
  /** The callbacks of the stream that it writes. */
  readonly writerEvents: WriterEvents = {
    credit: () => this.#events?.room(),
    ended: (end) => this.#writerEnded(end),
  };
  /** The stream from the other side. */
  reader: ByteReader | null = null;
  /** The stream to the other side. */
  writer: ByteWriter | null = null;
  readonly #parts: StreamLinkParts;
  #events: LinkEvents | null = null;
  #over = false;
  #drops = false;
  /** Frames of a stream that has ended, which {@link release} has taken out of it. */
  #rest: Deque<Uint8Array> | null = null;
  /** How many of them are the mark of the end of sending. */
  #marks = 0;

  constructor(parts: StreamLinkParts) {
    this.#parts = parts;
  }

  start(events: LinkEvents): void {
    this.#events = events;
    const { size } = this;
    if (size > 0) events.arrived(size);
    this.#look();
    if (this.writer?.ended) this.#writerEnded(this.writer.ended);
  }

  write(value: unknown): boolean {
    return this.#sent((writer) => this.#parts.codec.write(writer, value));
  }

  keep(value: unknown): unknown {
    try {
      return this.#parts.codec.keep(value);
    } catch (error) {
      throw this.#located(error);
    }
  }

  bytesOf(kept: unknown): number {
    return kept === undefined ? 0 : (kept as string | Uint8Array).length;
  }

  writeKept(kept: unknown): boolean {
    return this.#sent((writer) => this.#parts.codec.writeKept(writer, kept as string | Uint8Array));
  }

  writeEnd(): boolean {
    return this.#sent((writer) => writer.write(endFrame));
  }

  close(reason: string): void {
    this.#parts.wrote();
    this.writer?.end(transportErrorFrame(closingText + reason.slice(0, longestReason)));
  }

  confirm(): void {
    this.writer?.end(terminalFrames.finalized);
  }

  get size(): number {
    return this.#drops ? 0 : (this.#rest ?? this.reader)?.size ?? 0;
  }

  get left(): number {
    return this.size - this.#marks;
  }

  take(): unknown {
    const frame = this.#drops ? null : this.#next();
    if (frame === null) return noItem;
    const { bytes, start, end } = frame;
    if (isEndMark(bytes, start, end)) {
      this.#marks = 0;
      return endMark;
    }
    const { codec, schema, name } = this.#parts;
    const decoded = codec.decode(frame);
    if (decoded.error !== undefined) throw itemInvalid(name, [{ message: decoded.error }]);
    return validateArrived(schema, decoded.value, false, (...about) => itemInvalid(name, ...about));
  }

  release(): void {
    const { reader } = this;
    if (this.#drops || reader === null || reader.size === 0) return;
    const rest = this.#rest = new Deque<Uint8Array>();
    for (let frame = reader.take(); frame !== undefined; frame = reader.take()) {
      if (isEndMark(frame, 0, frame.length)) this.#marks++;
      rest.push(frame);
    }
  }

  drop(): void {
    this.#drops = true;
    this.#rest = null;
    this.#marks = 0;
    // Credit goes back, so that the other side comes to its end.
    while (this.reader?.advance());
  }

  cut(): void {
    this.#over = true;
    this.reader?.cancel();
  }

  #next(): Pick<ByteReader, "bytes" | "start" | "end"> | null {
    const { reader } = this;
    if (this.#rest === null) return reader?.advance() === true ? reader : null;
    const bytes = this.#rest.shift();
    return bytes === undefined ? null : { bytes, start: 0, end: bytes.length };
  }

  #sent(write: (writer: ByteWriter) => boolean): boolean {
    const { writer } = this;
    if (writer === null) return false;
    this.#parts.wrote();
    try {
      return write(writer);
    } catch (error) {
      throw this.#located(error);
    }
  }

  #located(error: unknown): unknown {
    if (!(error instanceof ZeromeshError)) return error;
    const { code, message, details } = error;
    const { name } = this.#parts;
    return new ZeromeshError(code, `An item of channel "${name}" cannot be sent: ${message}`, {
      handler: name,
      ran: "no",
      details,
      cause: error,
    });
  }

  #arrived(count: number): void {
    if (this.#drops) this.drop();
    else this.#events?.arrived(count);
  }

  /** Looks whether the other side's stream has ended. */
  #look(): void {
    const events = this.#events;
    const end = this.reader?.ended ?? null;
    if (events === null || end === null || this.#over) return;
    this.#over = true;
    const { reason, text } = end;
    if (reason === "failed" && text.startsWith(closingText)) events.closing(text.slice(closingText.length));
    else if (reason === "finalized") events.confirmed();
    else {
      this.writer?.abandon();
      events.lost("peerLost");
    }
  }

  /** The other side reads no more, or is lost. */
  #writerEnded({ reason }: StreamEnd): void {
    const events = this.#events;
    if (events === null) return;
    // What it has sent before, its end too, counts first.
    this.#look();
    if (this.#over) return;
    this.#over = true;
    if (reason !== "peerLost") this.reader?.cancel();
    events.lost(reason === "cancelled" ? "cancelled" : "peerLost");
  }
}

function isEndMark(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 1 && bytes[start] === endFrame[0];
}
