import {
  type ByteWriter,
  type ItemCodec,
  type Kept,
  type StreamWindow,
  terminalFrames,
  type TurnShare,
} from "../../streams/mod.ts";
import { FrameLink } from "./frame_link.ts";
import { FrameScratch } from "./frames.ts";
import type { MessageWindow } from "./message_window.ts";
import type { ChannelSendOptions } from "./options.ts";
import type { Sending } from "./outbound.ts";

/** What a {@link LinkSending} needs. */
export interface LinkSendingParts {
  readonly codec: ItemCodec;
  /** What keeps messages while they cannot be sent. */
  readonly window: MessageWindow;
  /** The largest frame. */
  readonly maxFrameBytes: number;
  readonly turns: TurnShare;
}

/** The messages of a consumer to its producer, whose stream comes and goes. */
export class LinkSending implements Sending {
  readonly window: MessageWindow;
  readonly #parts: LinkSendingParts;
  readonly #scratch: FrameScratch;
  readonly #link: FrameLink;
  #windowItems = 0;
  /** Messages that were on their way when the stream was lost, and may not have been read. */
  unconfirmed = 0;

  constructor(parts: LinkSendingParts) {
    this.#parts = parts;
    this.window = parts.window;
    this.#scratch = new FrameScratch(parts.maxFrameBytes);
    this.#link = new FrameLink(() => parts.window);
  }

  /** Whether nothing waits. */
  get idle(): boolean {
    return this.window.size === 0 && this.window.senders === 0;
  }

  send(message: unknown, options: ChannelSendOptions | null): Promise<void> {
    this.#parts.codec.write(this.#scratch, message);
    return this.#push(options);
  }

  sendKept(kept: Kept, options: ChannelSendOptions | null): Promise<void> {
    this.#parts.codec.writeKept(this.#scratch, kept);
    return this.#push(options);
  }

  /** Messages go by this stream from now on. */
  attach(writer: ByteWriter, window: StreamWindow): void {
    this.#windowItems = window.items;
    this.#link.writer = writer;
    this.#link.drain();
  }

  /** The stream is over. */
  detach(): void {
    const { writer } = this.#link;
    this.#link.writer = null;
    if (writer === null) return;
    if (writer.ended === null) writer.end(terminalFrames.finalized);
    else this.unconfirmed += this.#windowItems - writer.credit;
  }

  /** Sends what waits, as far as there is credit. */
  drain(): void {
    this.#link.drain();
  }

  /** Nothing is sent any more. Returns how many messages waited, which are lost. */
  end(error: unknown): number {
    this.detach();
    return this.window.end(error);
  }

  #push(options: ChannelSendOptions | null): Promise<void> {
    return this.#link.push(this.#scratch, options, false) ?? this.#parts.turns.spend();
  }
}
