import type { InstanceId } from "../../core/mod.ts";
import { type StreamWindow, terminalFrames } from "../../streams/mod.ts";
import { FrameLink } from "./frame_link.ts";
import type { Incoming } from "./incoming.ts";
import type { MessageWindow } from "./message_window.ts";
import type { ChannelConsumer } from "./notices.ts";

/** A consumer that takes messages of a producer. */
export class ConsumerLink extends FrameLink {
  readonly presence: number;
  readonly instance: InstanceId;
  name: string | null;
  /** What it sends; null unless the channel is bidirectional. */
  incoming: Incoming | null = null;
  readonly #windowItems: number;

  constructor(
    consumer: ChannelConsumer,
    window: StreamWindow,
    makeWindow: () => MessageWindow,
  ) {
    super(makeWindow);
    this.presence = consumer.presence;
    this.instance = consumer.instance;
    this.name = consumer.name;
    this.#windowItems = window.items;
  }

  get view(): ChannelConsumer {
    const { presence, instance, name } = this;
    return { presence, instance, name };
  }

  /** Messages that it may take now; 0 if none can be written. */
  get credit(): number {
    const writer = this.writer!;
    return writer.open ? writer.credit : 0;
  }

  /** Messages on their way for which no credit has come back: it may not have read them. */
  get unconfirmed(): number {
    return this.#windowItems - this.writer!.credit;
  }

  /** Ends its messages: as finished, or so that it asks again. What it has sent can still be read. */
  end(finished: boolean): void {
    const writer = this.writer!;
    if (writer.ended === null) writer.end(finished ? terminalFrames.finalized : terminalFrames.detached);
  }
}
