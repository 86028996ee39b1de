import type { ByteWriter } from "../../streams/mod.ts";
import { copyBytes } from "../../wire/mod.ts";
import { type FrameScratch, writeGap } from "./frames.ts";
import type { MessageWindow } from "./message_window.ts";
import type { ChannelSendOptions } from "./options.ts";

/** One way for messages that are encoded already: a stream, and what waits for its credit. */
export class FrameLink {
  /** The stream; null while there is none. */
  writer: ByteWriter | null = null;
  /** Messages that were written. */
  sent = 0;
  readonly #make: () => MessageWindow;
  #window: MessageWindow | null = null;

  /** @param makeWindow Makes what keeps messages that wait, when the first one does. */
  constructor(makeWindow: () => MessageWindow) {
    this.#make = makeWindow;
  }

  /** What waits; null if nothing ever has. */
  get window(): MessageWindow | null {
    return this.#window;
  }

  /** Whether nothing waits. */
  get idle(): boolean {
    const window = this.#window;
    return window === null || (window.size === 0 && window.missing === 0);
  }

  /**
   * Sends a message, or lets it wait.
   *
   * @param shared Whether other consumers get it, too.
   * @returns As `MessageWindow.add`, whose errors it throws.
   */
  push(message: FrameScratch, options: ChannelSendOptions | null, shared: boolean): Promise<void> | null {
    const { writer } = this;
    const { length, bytes } = message;
    if (writer !== null && this.idle && length <= writer.maxFrameBytes) {
      const space = writer.reserve(length);
      if (space !== null) {
        copyBytes(space.bytes, space.at, bytes, length);
        writer.commit(length);
        this.sent++;
        return null;
      }
    }
    const wait = this.#windowed().add(message.copy(), options, shared);
    this.drain();
    return wait;
  }

  /** Whether a message would be refused, with the overflow `fail`. */
  refuses(bytes: number): boolean {
    if (this.idle && this.writer?.open === true) return false;
    return this.#windowed().refuses(bytes);
  }

  /** Sends what waits, as far as there is credit. */
  drain(): void {
    const { writer } = this;
    const window = this.#window;
    if (writer === null || window === null) return;
    for (;;) {
      for (let { missing } = window; missing > 0; { missing } = window) {
        const told = writeGap(writer, missing);
        if (told === 0) return;
        window.told(told);
      }
      const frame = window.first as Uint8Array | undefined;
      if (frame === undefined) return;
      // The other side is told that it is missing.
      if (frame.length > writer.maxFrameBytes) window.drop();
      else if (!writer.write(frame)) return;
      else {
        this.sent++;
        window.shift();
      }
    }
  }

  #windowed(): MessageWindow {
    return this.#window ??= this.#make();
  }
}
