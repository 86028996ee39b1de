import type { MemoryReturn, Partings, TcpConnections } from "../libzmq/mod.ts";

// A look at a connection costs 0.4 µs on Bun and 0.8 µs on Deno: too much for each small message.
const lookEveryBytes = 64 * 1024;
// ZMTP: in front of a frame of up to 255 bytes there are two, in front of a longer one nine.
const shortFrameBytes = 255;
const shortHeadBytes = 2;
const longHeadBytes = 9;
// CURVE: what it adds to each of the three frames of a message.
const curveBytes = 3 * 33;

/** What an outlet needs of all of them. */
export interface OutletHost {
  /** Bytes that all hold together. */
  bytes: number;
  /** Looks at connections by descriptor; null where the platform does not tell. */
  readonly connections: TcpConnections | null;
  /** What one connection may have in libzmq now. */
  readonly limitBytes: number;
  /** Is told what passes, and what becomes free. */
  readonly memory: Pick<MemoryReturn, "passed" | "freed">;
  /** Keeps connections until their other ends have read everything. */
  readonly partings: Pick<Partings, "keep">;
  /** Looks at a connection from now on, until it holds nothing. */
  watch(outlet: Outlet): void;
  /** A connection is over. */
  forget(outlet: Outlet): void;
}

/**
 * What one connection holds of this process because its other end has not taken it yet: bytes that libzmq was given and
 * that have not left, and answers that wait before libzmq.
 *
 * libzmq counts messages and not bytes, and does not tell what became of them. The kernel does: how many bytes the other
 * end has acknowledged, and for a Unix socket whether it has read them all.
 */
export class Outlet {
  /** Whether a write was refused, so that nothing is written before the next look that finds room. */
  refused = false;
  /** Since when nothing has left; this and the two that follow are kept by `Outlets`. */
  stuckSince = 0;
  /** When to look next. */
  lookAt = 0;
  /** How long to wait between two looks while writes are refused. */
  pauseMs = 1;
  /** Ends the connection, for a reason. */
  readonly end: (reason: string) => void;
  readonly #all: OutletHost;
  #fd = -1;
  #identity: string | null = null;
  #extraBytes = 0;
  #unix = false;
  #acked = 0;
  #unread = 0;
  // In libzmq or the system's buffers, as far as a look has told, and handed over since.
  #bytes = 0;
  #fresh = 0;
  // Answers that wait before libzmq.
  #waiting = 0;
  #moved = false;
  #blocked = false;
  #closed = false;
  // Whether writes are held back above the limit.
  #bounded = true;
  #kept = false;

  /**
   * @param all All of them.
   * @param end Ends the connection.
   */
  constructor(all: OutletHost, end: (reason: string) => void) {
    this.#all = all;
    this.end = end;
  }

  /** Bytes held. */
  get held(): number {
    return this.#bytes + this.#fresh + this.#waiting;
  }

  /** Whether something has been held for longer than it takes to hand it over. */
  get laden(): boolean {
    return this.#bytes > 0 || this.#blocked;
  }

  /** The connection has a descriptor now. Without one nothing is known of what leaves, and nothing counted. */
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

  /** Whether libzmq may be given so many bytes more. One message may always go alone. */
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

  /** libzmq was given a message. */
  handed(headerLength: number, payloadLength: number): void {
    if (this.#fd < 0) return void (this.#moved = true);
    this.#fresh += headerLength + payloadLength + this.#extraBytes + shortHeadBytes + 1 +
      (headerLength > shortFrameBytes ? longHeadBytes : shortHeadBytes) +
      (payloadLength > shortFrameBytes ? longHeadBytes : shortHeadBytes);
    if (this.#fresh >= lookEveryBytes) this.look();
  }

  /** So many bytes of answers wait before libzmq, or, if negative, wait there no more. */
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

  /** Asks the kernel what has left. */
  look(): void {
    if (this.#closed || this.#fd < 0) return;
    const { connections, memory } = this.#all;
    memory.passed(this.#fresh);
    this.#left(this.#unix ? this.#leftOfUnix(connections!) : this.#leftOfTcp(connections!));
    if (this.#bytes > 0) this.#all.watch(this);
  }

  /** Whether anything has left since this was asked last; where nothing tells, whether libzmq took anything. */
  moved(): boolean {
    const moved = this.#moved;
    this.#moved = false;
    return moved;
  }

  /** Nothing has left for a while: if the system holds nothing, there is nothing that could. */
  settle(): void {
    if (this.#fd >= 0 && this.#all.connections!.unread(this.#fd) === 0) this.#left(Infinity);
  }

  /** Has both ends of the connection learn that it is over, where that can be done. */
  shutdown(): void {
    const { connections } = this.#all;
    if (this.#fd < 0 || connections === null || this.#identity === null) return;
    // The descriptor may be another connection's by now.
    if (connections.identity(this.#fd) === this.#identity) connections.shutdown(this.#fd);
  }

  /** The process ends: whatever waits is given to libzmq, which alone can still send it. */
  release(): void {
    this.#bounded = false;
    this.refused = false;
  }

  /** The socket is about to be closed, and what was given to it should arrive: the connection stays until it has. */
  keep(lingerMs: number): void {
    if (this.#kept || this.#fd < 0 || this.#identity === null) return;
    this.#kept = true;
    this.#all.partings.keep(this.#fd, this.#identity, lingerMs);
  }

  /** The connection is over, and holds nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#all.memory.freed(this.held);
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
    // A descriptor that is another connection's by now, or nobody's, says nothing about this one.
    if (left <= 0) return 0;
    this.#acked = acked;
    this.#moved = true;
    return left;
  }

  #leftOfUnix(connections: TcpConnections): number {
    const unread = connections.unread(this.#fd);
    if (unread !== this.#unread) this.#moved = true;
    this.#unread = unread;
    // As long as libzmq has something it fills the socket up, and what the socket holds is never nothing.
    return unread === 0 ? Infinity : 0;
  }
}
