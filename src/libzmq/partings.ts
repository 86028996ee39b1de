import { type CancelTimer, holdProcess, systemClock } from "../core/mod.ts";
import type { TcpConnections } from "../../ffi/mod.ts";

const firstLookMs = 1;
const longestLookMs = 8;
const leastMs = 100;

interface Parting {
  /** libzmq's descriptor. */
  readonly theirs: number;
  /** Ours, for the same connection. */
  readonly own: number;
  /** What both of them are until libzmq closes its own. */
  readonly identity: string;
  /** When to give up. */
  until: number;
  /** Whether libzmq has closed its own, so that this side has nothing more to say. */
  said: boolean;
}

/** Holds this thread up for so long. For the end of the process, when nothing else can be waited for. */
export function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/**
 * Connections whose sockets are closed, kept open until the other end has read everything.
 *
 * libzmq lingers until the system has its last byte, and closes the connection then. From the moment a socket is
 * closed it does not read either, so what the other end sends meanwhile stays unread. A TCP connection that is closed
 * with something unread, or to which something comes afterwards, is reset: the system throws away what has not arrived.
 * And libzmq at the other end, where its queue is full, throws away what it has not read of a connection that is reset,
 * or that is closed in both directions, as a Unix socket always is.
 *
 * So each connection has a second descriptor here. When libzmq has closed its own, only this side's direction is ended;
 * what comes is thrown away until the other end, which has read everything then, closes the connection too.
 */
export class Partings {
  readonly #connections: TcpConnections | null;
  readonly #all = new Set<Parting>();
  #cancel: CancelTimer | null = null;
  #pauseMs = firstLookMs;
  #finished: PromiseWithResolvers<void> | null = null;

  /** @param connections Null where the platform has no such descriptors: then nothing is kept. */
  constructor(connections: TcpConnections | null) {
    this.#connections = connections;
  }

  /**
   * Keeps a connection that libzmq is about to close. To be called before its socket is closed. Does nothing when the
   * descriptor belongs to something else by now, or when few descriptors are left.
   *
   * @param identity What `TcpConnections.identity` has said of the descriptor.
   * @param lingerMs For how long at most; a tenth of a second is taken in any case.
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

  /** Resolves when none is left, for which there is a time. Keeps the process alive until then. */
  async finished(): Promise<void> {
    if (this.#all.size === 0) return;
    using _process = holdProcess();
    await (this.#finished ??= Promise.withResolvers<void>()).promise;
  }

  /** The process ends, and libzmq has closed everything: waits here, and gives up at `until`, or in a tenth of a second. */
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

  // The real clock, as it is the system and libzmq that are waited for.
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
