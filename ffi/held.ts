import type { Handle } from "./memory.ts";

/** What a thread holds that outlives it. A bell is a descriptor that ends the wait on the ones beside it. */
export type HeldKind = "context" | "socket" | "bell" | "descriptor";

/** What ends the things that dead threads hold: the calls of a backend that this takes. */
export interface HeldEnd {
  /** `zmq_socket_monitor`. */
  monitor(socket: Handle, endpoint: string | null, events: number): number;
  /** `zmq_setsockopt`. */
  setOption(socket: Handle, option: number, value: Uint8Array): number;
  /** `zmq_close`. */
  closeSocket(socket: Handle): number;
  /** `zmq_ctx_term` on another thread. */
  contextTerm(context: Handle): Promise<number>;
}

/** Where what this thread holds is written down. */
export interface HeldList {
  /** Writes down that this thread holds something. */
  add(kind: HeldKind, value: bigint): void;
  /** This thread no longer holds it. To be called before it is freed. */
  remove(kind: HeldKind, value: bigint): void;
  /** Ends what dead threads hold, now and every second until the result is disposed of, which waits for what is begun. */
  watch(end: HeldEnd): AsyncDisposable;
}
