import type { LingeringConnections, MemoryReturn, TcpConnections } from "../libzmq/mod.ts";

// Reading a connection's state costs 0.4 µs on Bun and 0.8 µs on Deno, and more while libzmq writes to it: too much for each
// small message.
const lookEveryBytes = 256 * 1024;
// ZMTP: a frame of up to 255 bytes has two bytes of header, a longer one nine.
const shortFrameBytes = 255;
const shortHeadBytes = 2;
const longHeadBytes = 9;
// CURVE adds this to the three frames of a message.
const curveBytes = 3 * 33;

/** The registry of all connections. */
export interface OutboundBytesHost {
  /** Total bytes of all connections. */
  bytes: number;
  /** Reads connections by descriptor; null if the platform cannot. */
  readonly connections: TcpConnections | null;
  /** Bytes that one connection may have in libzmq now. */
  readonly limitBytes: number;
  /** Gets the bytes that pass and those that become free. */
  readonly memory: Pick<MemoryReturn, "passed" | "freed">;
  /** Keeps connections until their other ends have read all. */
  readonly lingering: Pick<LingeringConnections, "keep">;
  /** Observes a connection until it holds nothing. */
  watch(outbound: OutboundBytes): void;
  /** Removes a closed connection. */
  forget(outbound: OutboundBytes): void;
}

/**
 * The memory that one connection holds because its other end has not read: bytes in libzmq, and answers queued before
 * it.
 *
 * libzmq counts messages, not bytes, and does not report their fate. The kernel does: how many bytes the other end has
 * acknowledged, and for a Unix socket whether it has read all.
 */
export class OutboundBytes {
  /** Whether a write was refused, so that no write happens before a look finds room. */
  refused = false;
  /** Since when no byte has left; `OutboundBudget` keeps this field and the next two. */
  stuckSince = 0;
  /** Time of the next look. */
  lookAt = 0;
  /** Time between two looks while writes are refused. */
  pauseMs = 1;
  /** Ends the connection with a reason. */
  readonly end: (reason: string) => void;
  readonly #all: OutboundBytesHost;
  #fd = -1;
  #identity: string | null = null;
  #extraBytes = 0;
  #unix = false;
  #acked = 0;
  #unread = 0;
  // In libzmq or the system's buffers according to the last look, and written since.
  #bytes = 0;
  #fresh = 0;
  // Answers queued before libzmq.
  #waiting = 0;
  #moved = false;
  #blocked = false;
  #closed = false;
  // Whether the limit applies to writes.
  #bounded = true;
  #kept = false;

  /**
   * @param all The registry.
   * @param end Ends the connection.
   */
  constructor(all: OutboundBytesHost, end: (reason: string) => void) {
    this.#all = all;
    this.end = end;
  }

  /** Bytes held. */
  get held(): number {
    return this.#bytes + this.#fresh + this.#waiting;
  }

  /** Whether bytes are held for longer than a write takes. */
  get laden(): boolean {
    return this.#bytes > 0 || this.#blocked;
  }

  /** Sets the connection's descriptor. Without one the bytes are unknown and not counted. */
  connected(fd: number, secure: boolean): void {
    const { connections } = this.#all;
    if (fd < 0 || connections === null) return;
    this.#fd = fd;
    this.#extraBytes = secure ? curveBytes : 0;
    this.#identity = connections.identity(fd);
    this.#acked = connections.acked(fd);
    this.#unix = this.#acked < 0;
    if (this.#unix && connections.unread(fd) < 0) this.#fd = -1;
    this.#fresh = 0;
  }

  /** Whether libzmq may get this many more bytes. One message may always go alone. */
  admits(bytes: number): boolean {
    if (this.refused) return false;
    if (this.#bytes + this.#fresh + bytes <= this.#all.limitBytes || this.#fd < 0 || !this.#bounded) {
      return true;
    }
    this.look();
    if (this.#bytes === 0 || this.#bytes + bytes <= this.#all.limitBytes) return true;
    this.refused = true;
    this.#all.watch(this);
    return false;
  }

  /** Counts a message that libzmq got. */
  handed(headerLength: number, payloadLength: number): void {
    if (this.#fd < 0) return void (this.#moved = true);
    this.#fresh += headerLength + payloadLength + this.#extraBytes + shortHeadBytes + 1 +
      (headerLength > shortFrameBytes ? longHeadBytes : shortHeadBytes) +
      (payloadLength > shortFrameBytes ? longHeadBytes : shortHeadBytes);
    if (this.#fresh >= lookEveryBytes) this.look();
  }

  /** Counts bytes of answers that are queued before libzmq, or, if negative, no longer are. */
  wait(bytes: number): void {
    if (this.#closed) return;
    this.#waiting += bytes;
    this.#all.bytes += bytes;
  }

  /** The link's writes are refused, by libzmq or by {@link admits}, or no longer. */
  block(blocked: boolean): void {
    this.#blocked = blocked;
    if (blocked) this.#all.watch(this);
    else this.refused = false;
  }

  /** Asks the kernel how many bytes have left. */
  look(): void {
    if (this.#closed || this.#fd < 0) return;
    const { connections, memory } = this.#all;
    memory.passed(this.#fresh);
    this.#left(this.#unix ? this.#leftOfUnix(connections!) : this.#leftOfTcp(connections!));
    if (this.#bytes > 0) this.#all.watch(this);
  }

  /** Whether bytes have left since the last call; without the kernel's answer, whether libzmq took some. */
  moved(): boolean {
    const moved = this.#moved;
    this.#moved = false;
    return moved;
  }

  /** Called after a while without movement: if the system holds nothing, the rest is counted as gone. */
  settle(): void {
    if (this.#fd >= 0 && this.#all.connections!.unread(this.#fd) === 0) this.#left(Infinity);
  }

  /** Shuts the connection down for both ends, if the platform can. */
  shutdown(): void {
    const { connections } = this.#all;
    if (this.#fd < 0 || connections === null || this.#identity === null) return;
    // The descriptor may belong to another connection now.
    if (connections.identity(this.#fd) === this.#identity) connections.shutdown(this.#fd);
  }

  /** Lifts the limit at the process's end: only libzmq can still send the waiting messages. */
  release(): void {
    this.#bounded = false;
    this.refused = false;
  }

  /** Keeps the connection of a closing socket until the other end has read all. */
  keep(lingerMs: number): void {
    if (this.#kept || this.#fd < 0 || this.#identity === null) return;
    this.#kept = true;
    this.#all.lingering.keep(this.#fd, this.#identity, lingerMs);
  }

  /**
   * Ends the outbound with its connection.
   *
   * @param queuedBytes Bytes that were still queued before libzmq, and are dropped.
   */
  close(queuedBytes = 0): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#all.memory.freed(this.held + queuedBytes);
    this.#all.bytes -= this.#bytes + this.#waiting;
    this.#bytes = this.#fresh = this.#waiting = 0;
    this.#blocked = false;
    this.#all.forget(this);
  }

  #left(bytes: number): void {
    const before = this.#bytes;
    this.#bytes = Math.max(0, before + this.#fresh - bytes);
    this.#fresh = 0;
    this.#all.bytes += this.#bytes - before;
  }

  #leftOfTcp(connections: TcpConnections): number {
    const acked = connections.acked(this.#fd);
    const left = acked - this.#acked;
    // The descriptor belongs to another connection now, or to none.
    if (left <= 0) return 0;
    this.#acked = acked;
    this.#moved = true;
    return left;
  }

  #leftOfUnix(connections: TcpConnections): number {
    const unread = connections.unread(this.#fd);
    if (unread !== this.#unread) this.#moved = true;
    this.#unread = unread;
    // While libzmq holds bytes it keeps the socket's buffer filled, so an empty buffer means that all have left.
    return unread === 0 ? Infinity : 0;
  }
}
