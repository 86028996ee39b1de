import type { Handle } from "./memory.ts";

/** Resources of a thread that outlive it. A bell is a descriptor that ends the wait on others. */
export type HeldKind = "context" | "socket" | "bell" | "descriptor";

/** The calls of a backend that free the resources of dead threads. */
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

/** The list of this thread's resources. */
export interface HeldList {
  /** Adds a resource. */
  add(kind: HeldKind, value: bigint): void;
  /** Removes a resource. To be called before it is freed. */
  remove(kind: HeldKind, value: bigint): void;
  /** Frees resources of dead threads, now and every second until the result is disposed, which awaits running calls. */
  watch(end: HeldEnd): AsyncDisposable;
}
