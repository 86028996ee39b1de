import type { Region, Socket } from "../libzmq/mod.ts";
import { Errno, SendFlag } from "../libzmq/mod.ts";
import { closedByUs, Link, type LinkShared } from "./link.ts";
import { Outlet } from "./outlet.ts";
import { writeFromRegion, writeFromViews, WriteOutcome } from "./write.ts";
import type { LinkLoss } from "./transport.ts";

const wouldBlock = -Errno.EAGAIN;
const dontWaitMore = SendFlag.DONTWAIT | SendFlag.SNDMORE;

/** What an accepted link needs of its listener. */
export interface RouterHost<Session> {
  /** The ROUTER. */
  readonly socket: Socket;
  /** Puts a link on, or takes it off, the list of those to retry. */
  setBlocked(link: RouterLink<Session>, blocked: boolean): void;
  /** A send said that the peer is gone. */
  unreachable(link: RouterLink<Session>): void;
  /** Our side ended the link. */
  closed(link: RouterLink<Session>, loss: LinkLoss): void;
}

/** A connection that a peer dialled, known by its routing id on our ROUTER. */
export class RouterLink<Session> extends Link<Session> {
  readonly kind = "accepted";
  readonly routingId: Uint8Array;
  /** The descriptor of the connection, or −1. */
  readonly fd: number;
  /** Messages read from it. */
  messages = 0;
  readonly #host: RouterHost<Session>;
  readonly #id: Region;

  constructor(host: RouterHost<Session>, shared: LinkShared, routingId: Uint8Array, fd: number) {
    super(shared, "open");
    this.#host = host;
    this.fd = fd;
    this.#id = shared.backend.region(Math.max(1, routingId.length));
    this.#id.bytes.set(routingId);
    this.routingId = this.#id.bytes.subarray(0, routingId.length);
    if (shared.outlets !== null) this.outlet = new Outlet(shared.outlets, (reason) => this.abandon(reason));
  }

  /** Says whether the connection is encrypted, so that what it holds can be counted. */
  connected(secure: boolean): void {
    this.outlet?.connected(this.fd, secure);
  }

  override abandon(reason: string): void {
    this.outlet?.shutdown();
    super.abandon(reason);
  }

  get endpoint(): string {
    return "its own connection";
  }

  override close(_lingerMs: number, loss: LinkLoss = closedByUs): void {
    // No call ends one connection of a ROUTER: the link is forgotten, and the peer ends the connection.
    if (this.markClosed()) this.#host.closed(this, loss);
  }

  /** The connection was lost: nothing leaves any more. Returns false when that was known. */
  lose(): boolean {
    return this.markClosed();
  }

  protected override writeRegion(type: number, headerLength: number, payload: Uint8Array): WriteOutcome {
    const outcome = this.#writeId();
    if (outcome !== WriteOutcome.sent) return outcome;
    return writeFromRegion(this.shared, this.#host.socket.handle, type, headerLength, payload);
  }

  protected override writeParts(type: number, header: Uint8Array, payload: Uint8Array): WriteOutcome {
    const outcome = this.#writeId();
    if (outcome !== WriteOutcome.sent) return outcome;
    return writeFromViews(this.shared, this.#host.socket.handle, type, header, payload);
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
