import type { ChannelSendOptions, MessageWindow } from "../channels/mod.ts";

const done: Promise<void> = Promise.resolve();

/** The messages that wait for one socket, or for one consumer behind it, and go one after the other. */
export class Lane {
  /** Numbers its messages. */
  sequence = 0;
  readonly #window: MessageWindow;
  readonly #deliver: (frame: Uint8Array) => Promise<void>;
  readonly #moved: () => void;
  #running = false;
  #ended = false;

  /**
   * Makes an empty lane.
   *
   * @param window What may wait.
   * @param deliver Hands a frame to libzmq, and waits until it takes it. A rejection drops the message.
   * @param moved A message has left the lane.
   */
  constructor(window: MessageWindow, deliver: (frame: Uint8Array) => Promise<void>, moved: () => void) {
    this.#window = window;
    this.#deliver = deliver;
    this.#moved = moved;
  }

  /** Messages that wait. */
  get queued(): number {
    return this.#window.size + (this.#running ? 1 : 0);
  }

  /** Senders that wait for a place. */
  get waiting(): number {
    return this.#window.senders;
  }

  /** Messages that were dropped. */
  get dropped(): number {
    return this.#window.dropped;
  }

  /** Whether nothing waits. */
  get idle(): boolean {
    return !this.#running && this.#window.size === 0;
  }

  /** Sends a frame. @throws {ZeromeshError} As {@link MessageWindow.add}. */
  send(frame: Uint8Array, options: ChannelSendOptions | null, shared: boolean): Promise<void> {
    const waits = this.#window.add(frame, options, shared);
    if (!this.#running) void this.#run();
    return waits ?? done;
  }

  /** Sends nothing any more. Returns how many messages are lost. */
  end(error: unknown): number {
    if (this.#ended) return 0;
    this.#ended = true;
    return this.#window.end(error) + (this.#running ? 1 : 0);
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let frame = this.#window.first; frame !== undefined; frame = this.#window.first) {
      // Out of the window, so that one that is dropped at a limit is not the one that libzmq is about to take.
      this.#window.shift();
      try {
        await this.#deliver(frame as Uint8Array);
      } catch {
        if (this.#ended) break;
        this.#window.dropped++;
      }
      if (this.#ended) break;
    }
    this.#running = false;
    this.#moved();
  }
}
