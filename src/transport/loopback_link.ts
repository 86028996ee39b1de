import { copyBytes, InboundMessage } from "./inbound.ts";
import { closedByUs, Link, type LinkShared } from "./link.ts";
import { type Header, WriteOutcome } from "./write.ts";
import type { LinkLoss, TransportHandler } from "./transport.ts";

/** The link of an instance to itself: messages arrive in a later microtask, as copies. */
export class LoopbackLink<Session> extends Link<Session> {
  readonly kind = "loopback";
  readonly endpoint = "this instance";
  readonly routingId = null;
  readonly #handler: TransportHandler<Session>;

  constructor(shared: LinkShared, handler: TransportHandler<Session>) {
    super(shared, "open");
    this.local = true;
    this.#handler = handler;
  }

  override close(_lingerMs: number, loss: LinkLoss = closedByUs): void {
    if (this.markClosed()) this.#handler.gone(this, loss);
  }

  protected override write(type: number, header: Header, payload: Uint8Array): WriteOutcome {
    const { bytes } = this.shared.header;
    const message = new InboundMessage();
    message.type = type;
    message.header = copyBytes(typeof header === "number" ? bytes.subarray(0, header) : header);
    message.headerView = new DataView(message.header.buffer);
    message.headerEnd = message.header.length;
    message.own(copyBytes(payload));
    queueMicrotask(() => {
      if (this.state !== "closed") this.#handler.message(this, message);
    });
    return WriteOutcome.sent;
  }

  protected override onBlocked(_blocked: boolean): void {}
}
