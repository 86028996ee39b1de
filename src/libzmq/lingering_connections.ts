import { type CancelTimer, holdProcess, systemClock } from "../core/mod.ts";
import type { TcpConnections } from "../../ffi/mod.ts";

const firstLookMs = 1;
const longestLookMs = 8;
const leastMs = 100;

interface Parting {
  /** libzmq's descriptor. */
  readonly theirs: number;
  /** The duplicate for the same connection. */
  readonly own: number;
  /** Identity of the socket behind both. */
  readonly identity: string;
  /** When to give up. */
  until: number;
  /** Whether libzmq has closed its descriptor, so that this side sends no more. */
  said: boolean;
}

/** Blocks this thread. For the end of the process, when the event loop no longer runs. */
export function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/**
 * Connections of closed sockets, kept open until the other end has read everything.
 *
 * libzmq lingers until the system has its last byte, and then closes the connection. From the close of a socket on it
 * does not read, so bytes that the other end sends meanwhile stay unread. A TCP connection that is closed with unread
 * bytes, or that receives some afterwards, is reset: the system drops bytes that have not arrived. And a libzmq with a
 * full queue at the other end drops unread bytes of a connection that is reset, or closed in both directions as a Unix
 * socket always is.
 *
 * So each connection has a duplicate descriptor here. When libzmq has closed its own, only this side's direction is
 * ended; received bytes are dropped until the other end, which has then read everything, closes the connection.
 */
export class LingeringConnections {
  readonly #connections: TcpConnections | null;
  readonly #all = new Set<Parting>();
  #cancel: CancelTimer | null = null;
  #pauseMs = firstLookMs;
  #finished: PromiseWithResolvers<void> | null = null;

  /** @param connections Null on platforms without such descriptors: no connection is kept then. */
  constructor(connections: TcpConnections | null) {
    this.#connections = connections;
  }

  /**
   * Keeps a connection that libzmq is about to close. To be called before its socket is closed. Does nothing when the
   * descriptor belongs to another connection by now, or few descriptors are left.
   *
   * @param identity The earlier result of `TcpConnections.identity` for the descriptor.
   * @param lingerMs Longest time in milliseconds; at least 100 are used.
   */
  keep(fd: number, identity: string, lingerMs: number): void {
    const connections = this.#connections;
    const own = connections?.duplicate(fd) ?? -1;
    if (connections === null || own < 0) return;
    if (connections.identity(own) !== identity) return connections.close(own);
    const until = systemClock.now() + Math.max(lingerMs, leastMs);
    this.#all.add({ theirs: fd, own, identity, until, said: false });
    this.#pauseMs = firstLookMs;
    this.#cancel?.();
    this.#plan();
  }

  /** Resolves when no connection is kept, which a timeout bounds. Keeps the process alive until then. */
  async finished(): Promise<void> {
    if (this.#all.size === 0) return;
    using _process = holdProcess();
    await (this.#finished ??= Promise.withResolvers<void>()).promise;
  }

  /** Blocks at the process's end, after libzmq has closed all, until `until` or for 100 ms at least. */
  finishNow(until: number): void {
    this.#cancel?.();
    const giveUpAt = Math.max(until, systemClock.now() + leastMs);
    for (const parting of this.#all) parting.until = giveUpAt;
    for (;;) {
      this.#look(true);
      if (this.#all.size === 0) return;
      sleep(firstLookMs);
    }
  }

  // The system's clock, since the wait is for the system and libzmq.
  #plan(): void {
    this.#cancel = systemClock.after(this.#pauseMs, () => {
      this.#look(false);
      this.#pauseMs = Math.min(this.#pauseMs * 2, longestLookMs);
      if (this.#all.size > 0) return this.#plan();
      this.#cancel = null;
      this.#finished?.resolve();
      this.#finished = null;
    });
  }

  #look(allSaid: boolean): void {
    const connections = this.#connections!;
    const now = systemClock.now();
    for (const parting of this.#all) {
      const { theirs, own, identity } = parting;
      if (!parting.said && (allSaid || connections.identity(theirs) !== identity)) {
        parting.said = true;
        connections.endWriting(own);
      }
      if (now < parting.until && !(parting.said && connections.discard(own))) continue;
      connections.close(own);
      this.#all.delete(parting);
    }
  }
}
