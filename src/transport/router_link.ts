import type { Region, Socket } from "../libzmq/mod.ts";
import { Errno, SendFlag } from "../libzmq/mod.ts";
import { closedByUs, Link, type LinkShared } from "./link.ts";
import { OutboundBytes } from "./outbound_bytes.ts";
import { type Header, writeMessage, WriteOutcome } from "./write.ts";
import type { LinkLoss } from "./transport.ts";

const wouldBlock = -Errno.EAGAIN;
const dontWaitMore = SendFlag.DONTWAIT | SendFlag.SNDMORE;

/** The listener of an accepted link. */
export interface RouterHost<Session> {
  /** The ROUTER. */
  readonly socket: Socket;
  /** Adds a link to the list of retries, or removes it. */
  setBlocked(link: RouterLink<Session>, blocked: boolean): void;
  /** A send failed because the peer is gone. */
  unreachable(link: RouterLink<Session>): void;
  /** This side closed the link. */
  closed(link: RouterLink<Session>, loss: LinkLoss): void;
}

/** A connection that a peer dialled, known by its routing id at the ROUTER. */
export class RouterLink<Session> extends Link<Session> {
  readonly kind = "accepted";
  readonly routingId: Uint8Array;
  /** The descriptor of the connection, or −1. */
  readonly fd: number;
  /** Messages read from the connection. */
  messages = 0;
  /** Whether the connection was ended because too much of it waited: the rest of it is dropped. */
  overfull = false;
  readonly #host: RouterHost<Session>;
  readonly #id: Region;

  constructor(host: RouterHost<Session>, shared: LinkShared, routingId: Uint8Array, fd: number) {
    super(shared, "open");
    this.#host = host;
    this.fd = fd;
    this.#id = shared.backend.region(Math.max(1, routingId.length));
    this.#id.bytes.set(routingId);
    this.routingId = this.#id.bytes.subarray(0, routingId.length);
    if (shared.outboundBudget !== null) {
      this.outbound = new OutboundBytes(shared.outboundBudget, (reason) => this.abandon(reason));
    }
  }

  /** Sets whether the connection is encrypted, which its byte counts depend on. */
  connected(secure: boolean): void {
    this.outbound?.connected(this.fd, secure);
  }

  override abandon(reason: string): void {
    this.outbound?.shutdown();
    super.abandon(reason);
  }

  get endpoint(): string {
    return "its own connection";
  }

  override close(_lingerMs: number, loss: LinkLoss = closedByUs): void {
    // No call ends one connection of a ROUTER: the link is dropped, and the peer ends the connection.
    if (this.markClosed()) this.#host.closed(this, loss);
  }

  /** Closes the link after the loss of its connection. Returns false when it was closed already. */
  lose(): boolean {
    return this.markClosed();
  }

  protected override write(type: number, header: Header, payload: Uint8Array): WriteOutcome {
    const outcome = this.#writeId();
    if (outcome !== WriteOutcome.sent) return outcome;
    return writeMessage(this.shared, this.#host.socket.handle, type, header, payload);
  }

  protected override onBlocked(blocked: boolean): void {
    this.#host.setBlocked(this, blocked);
  }

  #writeId(): WriteOutcome {
    const socket = this.#host.socket;
    const result = this.shared.backend.sendRegion(
      socket.handle,
      this.#id,
      0,
      this.routingId.length,
      dontWaitMore,
    );
    if (result >= 0) {
      socket.touch();
      return WriteOutcome.sent;
    }
    if (result === wouldBlock) return WriteOutcome.blocked;
    this.#host.unreachable(this);
    return WriteOutcome.lost;
  }
}
