import { ProtocolError } from "../libzmq/mod.ts";
import { type Context, Errno, type Handle, MonitorEvent, type Socket, type Source } from "../libzmq/mod.ts";
import { hostOf, isLoopback } from "./endpoint.ts";
import { type FrameReader, ReadResult } from "./inbound.ts";
import type { Intake } from "./intake.ts";
import { closedByUs, Link, type LinkShared } from "./link.ts";
import { OutboundBytes } from "./outbound_bytes.ts";
import { type Header, writeMessage, WriteOutcome } from "./write.ts";
import type { LinkLoss } from "./transport.ts";
import type { UnfinishedMessages } from "./unfinished.ts";

/** The transport of a dialled link. */
export interface DealerHost<Session> {
  /** The context of its socket. */
  readonly context: Context;
  /** Reads its frames. */
  readonly reader: FrameReader;
  /** Sets the transport's options. Returns the socket's routing id, and the time between two of its heartbeats. */
  prepare(socket: Socket, serverKey: string | null): { readonly id: Uint8Array; readonly pingMs: number };
  /** Ends connections whose messages never end; null if the platform lacks the information. */
  readonly unfinished: UnfinishedMessages | null;
  /** Dispatches its messages. */
  readonly intake: Intake<Session>;
  /** Reports the end of the link. */
  gone(link: DealerLink<Session>, loss: LinkLoss): void;
}

/** The target of a link. */
export interface DealerTarget {
  /** The endpoint in the user's or the peer's form. */
  readonly endpoint: string;
  /** The address that libzmq connects to. */
  readonly address: string;
  /** The CURVE key that the other end must own, Z85; null without CURVE. */
  readonly serverKey: string | null;
}

const watchedEvents = MonitorEvent.CONNECTED | MonitorEvent.HANDSHAKE_SUCCEEDED | MonitorEvent.CLOSED |
  MonitorEvent.DISCONNECTED |
  MonitorEvent.HANDSHAKE_FAILED_NO_DETAIL | MonitorEvent.HANDSHAKE_FAILED_PROTOCOL |
  MonitorEvent.HANDSHAKE_FAILED_AUTH;

const brokenEvents = MonitorEvent.HANDSHAKE_FAILED_NO_DETAIL | MonitorEvent.HANDSHAKE_FAILED_PROTOCOL;

/**
 * A connection that this side dialled: one DEALER, used for one epoch only.
 *
 * libzmq's own reconnecting is off in effect (its interval is a day). The socket is closed at the first sign of loss,
 * because a reconnecting DEALER would deliver its queue to whichever process binds the port next.
 */
export class DealerLink<Session> extends Link<Session> implements Source {
  readonly kind = "dialled";
  readonly endpoint: string;
  readonly routingId = null;
  readonly #ownRoutingId: Uint8Array;
  readonly #host: DealerHost<Session>;
  readonly #socket: Socket;
  readonly #handle: Handle;
  #discarding = false;
  #messages = 0;
  #fd = -1;
  #loss: LinkLoss | null = null;
  #lastLook = false;

  constructor(host: DealerHost<Session>, shared: LinkShared, to: DealerTarget) {
    super(shared, "connecting");
    const { endpoint, address, serverKey } = to;
    this.peerKey = serverKey;
    this.address = hostOf(address);
    this.local = this.address === "ipc" || isLoopback(address);
    this.established = false;
    if (shared.outboundBudget !== null) {
      this.outbound = new OutboundBytes(shared.outboundBudget, (reason) => this.abandon(reason));
    }
    this.#host = host;
    this.endpoint = endpoint;
    this.#socket = host.context.socket("DEALER");
    try {
      const { id, pingMs } = host.prepare(this.#socket, serverKey);
      this.#ownRoutingId = id;
      this.pingMs = pingMs;
      this.#socket.monitor(watchedEvents, (event, value) => this.#onEvent(event, value));
      this.#handle = this.#socket.handle;
      this.#socket.connect(address);
      this.#socket.attach(this);
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /** Whether this connection has that routing id. If this instance's own listener asks, it dialled itself. */
  recognize(routingId: Uint8Array): boolean {
    const own = this.#ownRoutingId;
    if (own.length !== routingId.length || own.some((byte, i) => byte !== routingId[i])) return false;
    return this.leadsHere = true;
  }

  /** Reads received messages, but not past waiting ones. Called by the reactor. */
  receive(budget: number): number {
    const { reader, intake } = this.#host;
    for (let count = 0; count < budget; count++) {
      if (this.#socket.closed) return 0;
      if (this.backlog !== null) intake.resume(this);
      if (this.backlog !== null) return budget;
      if (this.#discarding) {
        if (!reader.discard(this.#handle)) return budget;
        this.#discarding = false;
      }
      const typeSize = reader.readType(this.#handle);
      if (typeSize < 0) {
        // After the loss no more messages can arrive.
        if (this.#lastLook) this.#endLoss();
        return count;
      }
      const result = reader.readRest(this.#handle, typeSize);
      this.#messages++;
      if (reader.tooManyParts) this.#host.unfinished?.end(this.#fd);
      if (result === ReadResult.message) intake.take(this, reader.message);
      else if (result === ReadResult.discarding) {
        this.#discarding = true;
        return budget;
      }
    }
    return budget;
  }

  override close(lingerMs: number, loss: LinkLoss = closedByUs): void {
    if (!this.markClosed()) {
      // The last message, read after the loss, may give a more precise reason.
      if (loss !== closedByUs) {
        if (this.#loss !== null) this.#loss = loss;
        return;
      }
      // No later call resumes the backlog of a closing connection.
      this.dropBacklog();
      return this.#endLoss();
    }
    this.dropBacklog();
    this.#host.unfinished?.remove(this.#fd);
    if (lingerMs > 0) this.outbound?.keep(lingerMs);
    this.#socket.close({ lingerMs });
    this.#host.gone(this, loss);
  }

  protected override write(type: number, header: Header, payload: Uint8Array): WriteOutcome {
    const outcome = writeMessage(this.shared, this.#handle, type, header, payload);
    if (outcome === WriteOutcome.sent) this.#socket.touch();
    return outcome;
  }

  protected override onBlocked(blocked: boolean): void {
    this.#socket.setBlocked(blocked);
  }

  #onEvent(event: number, value: number): void {
    if (event === MonitorEvent.CONNECTED) {
      this.#fd = value;
      this.outbound?.connected(value, this.peerKey !== null);
      return this.#host.unfinished?.add(
        value,
        this.#socket,
        () => this.#messages,
        { established: () => this.established },
      );
    }
    if (event === MonitorEvent.HANDSHAKE_SUCCEEDED) {
      this.established = true;
      return;
    }
    if ((event & brokenEvents) !== 0) this.brokenHandshake = true;
    // The failed handshake gives the reason; the DISCONNECTED after it does not.
    const loss = lossOf(event, value, this.established, this.peerKey !== null);
    if (this.#loss === null) this.#beginLoss(loss);
  }

  /** Reads the received messages to their end, slice by slice, before the loss is reported. */
  #beginLoss(loss: LinkLoss): void {
    this.#loss = loss;
    this.#host.unfinished?.remove(this.#fd);
    if (!this.markClosed()) return;
    this.#socket.touch();
    // libzmq may deliver its last decoded messages just after it reported the loss.
    this.#host.context.reactor.nextTurn(() => {
      this.#lastLook = true;
      if (this.#socket.closed) return;
      if (this.backlog === null && !this.#socket.readable) this.#endLoss();
      else this.#socket.touch();
    });
  }

  #endLoss(): void {
    if (this.#loss === null || this.#socket.closed) return;
    this.#socket.close();
    this.#host.gone(this, this.#loss);
  }
}

/** The loss that a monitor's event means for waiters on the connection. */
export function lossOf(event: number, value: number, established: boolean, secure: boolean): LinkLoss {
  // With CURVE a wrong key shows in several ways, which share one code.
  const refused = secure ? "FORBIDDEN" : "PEER_UNREACHABLE";
  switch (event) {
    case MonitorEvent.CLOSED:
      return { code: "PEER_UNREACHABLE", reason: "no process answers there" };
    case MonitorEvent.HANDSHAKE_FAILED_AUTH:
      return { code: "FORBIDDEN", reason: `the peer refused the key of this instance (status ${value})` };
    case MonitorEvent.HANDSHAKE_FAILED_PROTOCOL:
      return {
        // Both sides speak ZMTP and only one uses keys, or random bytes looked like it.
        code: value === ProtocolError.ZMTP_MECHANISM_MISMATCH ? "FORBIDDEN" : refused,
        reason: value === ProtocolError.ZMTP_CRYPTOGRAPHIC || value === ProtocolError.ZMTP_MECHANISM_MISMATCH
          ? secure
            ? "wrong server key, or only one side uses CURVE"
            : "it wants CURVE keys, and this instance has none (curve), or it speaks no ZMTP"
          : `the ZMTP handshake failed (protocol error 0x${value.toString(16)})`,
      };
    case MonitorEvent.HANDSHAKE_FAILED_NO_DETAIL:
      return {
        code: value === Errno.EAGAIN ? "PEER_UNREACHABLE" : refused,
        reason: value === Errno.EAGAIN
          ? "it accepts connections but does not speak ZMTP"
          : `the connection ended during the ZMTP handshake (${
            secure
              ? "no ZMTP, a wrong server key, or only one side uses CURVE"
              : "it speaks no ZMTP, wants CURVE keys, or lets in another user only"
          })`,
      };
    default:
      return established
        ? { code: "PEER_DISCONNECTED", reason: "the connection was lost" }
        : { code: "PEER_UNREACHABLE", reason: "the connection ended before the handshake" };
  }
}
